$bantam quantize "$root/demo" --type Q5_K_M --pure --dry-run | tail -8
