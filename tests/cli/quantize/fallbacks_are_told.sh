$bantam quantize "$root/tests/golden/hf/mistral.gguf" --type Q4_K_M --dry-run | sed 's/about .* threads*/about M and T: N threads/' | tail -8
$bantam quantize "$root/tests/golden/hf/mistral.gguf" --type Q4_K_M --dry-run --json | sed -n '2,6p'
