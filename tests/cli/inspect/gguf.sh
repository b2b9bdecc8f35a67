$bantam convert "$root/demo" -o demo.gguf --type Q4_K_M -q && $bantam inspect demo.gguf --verbose
