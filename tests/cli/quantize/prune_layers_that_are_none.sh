$bantam quantize "$root/demo" --type Q4_K_M --prune-layers 1,x -o out.gguf
$bantam quantize "$root/demo" --type Q4_K_M --prune-layers 1,4 -o out.gguf
