echo hello >x.gguf
$bantam inspect x.gguf
