mkdir m && cp "$root"/demo/*.json "$root"/demo/model.safetensors m/
$bantam convert m -o out.gguf
