e=$root/tests/golden/encoder
$bantam verify "$e/mean.gguf" --against "$e/mean" --text "$e/texts.txt" | sed 's/^  [0-9.]* s, .*/  TIME/'
$bantam verify "$e/mean.gguf" --against "$e/mean" --text "$e/texts.txt" --json | sed 's/\("[a-z_]*": *\).*\(seconds\|peak_bytes\)/\1/' | grep -A12 '"sentences"'
