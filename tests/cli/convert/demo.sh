$bantam convert "$root/demo" -o out.gguf --type Q4_K_M | sed 's/done in [^;]*/done in T/'
ls
