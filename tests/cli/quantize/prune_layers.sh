$bantam quantize "$root/demo" --type Q4_K_M --prune-layers 2,0 -o out.gguf -q
$bantam inspect out.gguf --json | grep -e block_count -e '"bytes"'
$bantam inspect out.gguf --tensors | grep attn_q
