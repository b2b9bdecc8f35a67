$bantam convert "$root/demo" -o out.gguf -q && ls
