$bantam quantize "$root/demo" --type Q4_K_M --imatrix m.gguf --include-weights a --exclude-weights b -o out.gguf
