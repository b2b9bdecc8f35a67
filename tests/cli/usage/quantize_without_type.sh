$bantam quantize x -o y.gguf
