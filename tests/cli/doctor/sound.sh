cp -r "$root/demo" . && $bantam doctor demo
$bantam convert demo -o demo.Q8_0.gguf --type Q8_0 -q
$bantam doctor demo.Q8_0.gguf
$bantam doctor demo.Q8_0.gguf --json --fast
