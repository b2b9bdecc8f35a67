$bantam convert "$root/demo" -o out.gguf -q --metadata my.n=256
