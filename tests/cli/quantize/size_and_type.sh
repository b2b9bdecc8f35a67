$bantam quantize "$root/demo" --size 2M --type Q4_K_M --dry-run
