echo old >out.gguf
$bantam convert "$root/demo" -o out.gguf -q --force && head -c 4 out.gguf
