$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 1 -o m.gguf -q
cp m.gguf before
$bantam quantize "$root/demo" -o m.gguf --type Q4_K_M --imatrix m.gguf --force
status=$?
cmp m.gguf before && exit $status
