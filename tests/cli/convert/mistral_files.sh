# params.json, consolidated.safetensors and tekken.json: a model like any other.
cp -r "$root/tests/golden/native/words" . && cp "$root/tests/golden/tokenizer/tekken/tekken.json" words/
$bantam convert words -o words.gguf | sed 's/done in [^;]*/done in T/'
for m in words words.gguf; do
    echo 'The hen was surprised: 123 eggs, HTTPServer [INST]' | $bantam tokenize $m
    $bantam logits $m --tokens 1,2,300 -o $m.bin -q
    $bantam inspect $m | grep -E 'architecture|context|tokenizer'
done
cmp words.bin words.gguf.bin && echo same logits
$bantam quantize words --type Q4_K_M -o q.gguf -q && $bantam verify q.gguf --against words --text "$root/README.md" --context 32 --chunks 1 -q && echo verified
