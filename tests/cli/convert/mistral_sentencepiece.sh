# The latest version of several SentencePiece models counts; no tokenizer at all is told.
cp -r "$root/tests/golden/native/words" .
$bantam convert words -o none.gguf
cp "$root/tests/golden/tokenizer/spm-bpe/tokenizer.model" words/tokenizer.model.v3
echo 'not read' >words/tokenizer.model.v1
$bantam convert words -o words.gguf -q
$bantam inspect words.gguf --json | grep -E '"(model|pre|chat_template|tokenizer.chat_template)"'
echo 'the hen  was surprised' | $bantam tokenize words
