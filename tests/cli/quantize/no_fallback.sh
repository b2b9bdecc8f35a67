$bantam quantize "$root/tests/golden/hf/mistral.gguf" --type Q4_K_M --no-fallback --dry-run
