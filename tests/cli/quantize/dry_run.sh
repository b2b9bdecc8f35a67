$bantam quantize "$root/demo" --type Q4_K_M --dry-run
