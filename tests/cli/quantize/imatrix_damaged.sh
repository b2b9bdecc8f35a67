cp "$root/tests/bad/imatrix/nan.gguf" m.gguf
$bantam quantize "$root/demo" --type Q4_K_M --imatrix m.gguf -o out.gguf
