$bantam convert x -o y.gguf --type Q4_K_X
