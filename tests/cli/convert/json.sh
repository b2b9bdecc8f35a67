$bantam convert "$root/demo" -o out.gguf --type Q8_0 --json | sed 's/"\(peak_bytes\|seconds\)":.*[0-9]/"\1": N/'
