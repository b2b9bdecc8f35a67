cp "$root/tests/golden/imatrix/experts.gguf" m.gguf
$bantam quantize "$root/demo" --type Q4_K_M --imatrix m.gguf -o out.gguf
status=$?
ls
exit $status
