$bantam quantize "$root/demo" --type Q5_K_M --pure --dry-run | tail -9 | sed 's/about .* threads*/about M and T: N threads/'
