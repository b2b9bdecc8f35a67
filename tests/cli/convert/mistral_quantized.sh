# What params.json says and cannot be carried is refused under its own name.
cp -r "$root/tests/golden/native/words" .
try() { printf '%s\n' "{\"dim\": 8, $1 \"n_layers\": 2, \"head_dim\": 6, \"hidden_dim\": 6, \"n_heads\": 2, \"norm_eps\": 1e-5, \"vocab_size\": 410}" >words/params.json; $bantam convert words -o out.gguf --dry-run; }
try '"n_kv_heads": 1, "quantization": {"qformat_weight": "int4"},'
try '"n_kv_heads": 1, "moe": {"num_experts": 2, "num_experts_per_tok": 1, "num_shared_experts": 1},'
try '"n_kv_heads": 1, "yarn": {"factor": 4},'
try '"n_kv_heads": 1, "llama_4_scaling": {"beta": 0.1, "original_max_position_embeddings": 7},'
try '"rope_theta": "far",'
