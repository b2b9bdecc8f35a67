$bantam convert -o x.gguf
