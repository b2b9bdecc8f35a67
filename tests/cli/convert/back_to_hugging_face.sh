# GGUF to a directory: Hugging Face's names, row order and config.json. With the tokenizer copied, the same file again.
mkdir -p one/m two && cp "$root"/demo/{config.json,model.safetensors,tokenizer.model,tokenizer_config.json} one/m
$bantam convert one/m -o a.gguf -q
$bantam convert a.gguf -o two/m -q
ls two/m
grep -E 'architectures|rope_theta|"head_dim"|rms_norm_eps' two/m/config.json
$bantam convert two/m -o b.gguf -q
cp one/m/tok* two/m
$bantam convert two/m -o b.gguf -q && cmp a.gguf b.gguf && echo "the same file"
