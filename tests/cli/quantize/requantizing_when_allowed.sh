$bantam convert "$root/demo" -o a.gguf --type Q8_0 -q && $bantam quantize a.gguf -o b.gguf --type Q4_K_M --allow-requantize -q && ls
