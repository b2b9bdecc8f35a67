$bantam convert x -o y.gguf --split-size 12Q
