$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 --chunks 2 -o m.gguf --process-output -q
$bantam imatrix --show m.gguf --json | grep -A 2 -E '"name".*"(output|token_embd)'
