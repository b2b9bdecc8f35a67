$bantam quantize "$root/demo" --type Q4_K_M --dry-run | sed 's/about .* threads*/about M and T: N threads/'
