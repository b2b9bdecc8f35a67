# vocab.json with merges.txt alone: GPT-2's way of cutting words, or Qwen 2's when the files say so; what is special comes from them too.
cp -r "$root/tests/golden/tokenizer/pair" gpt2 && cp -r gpt2 qwen2
echo '{"tokenizer_class": "Qwen2Tokenizer", "bos_token": null}' >qwen2/tokenizer_config.json
echo '{"<|im_start|>": 420}' >qwen2/added_tokens.json
for m in gpt2 qwen2; do
    echo "The hen's  12345 eggs<|endoftext|><|im_start|>" | $bantam tokenize $m
    echo "The hen's  12345 eggs<|endoftext|><|im_start|>" | $bantam tokenize --parse-special $m
done
rm gpt2/merges.txt
echo x | $bantam tokenize gpt2
