$bantam convert "$root/demo" -o out.gguf --type Q8_0 --json | sed 's/"seconds":.*/"seconds": T/'
