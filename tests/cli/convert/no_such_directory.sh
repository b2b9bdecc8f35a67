$bantam convert nowhere -o out.gguf
