mkdir m && cp "$root"/demo/* m/ && chmod u+w m/*
sed -i 's/LlamaForCausalLM/LlamoForCausalLM/' m/config.json
$bantam convert m -o out.gguf
