$bantam quantize "$root/demo" --type Q4_K_S --leave-output --dry-run | sed -n 1,2p
