$bantam imatrix --show "$root/tests/golden/imatrix/experts.gguf" | tail -n 3
