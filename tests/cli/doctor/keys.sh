# Keys that say something else than the tensors.
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
$bantam metadata set d.gguf general.file_type=u32:15 general.name=str:Demo-Instruct tokenizer.ggml.eos_token_id=u32:99999 -q
cp d.gguf demo.Q2_K.gguf
$bantam doctor demo.Q2_K.gguf
echo "exit $?"
$bantam metadata set d.gguf tokenizer.ggml.eos_token_id=u32:2 general.file_type=u32:7 -q
$bantam metadata unset d.gguf llama.rope.freq_base llama.context_length general.license -q
$bantam doctor d.gguf --json | grep '"code"'
$bantam convert "$root/demo" -o low.gguf --type Q2_K -q
$bantam doctor low.gguf --json | grep '"code"'
