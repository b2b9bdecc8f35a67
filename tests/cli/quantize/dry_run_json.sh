$bantam quantize "$root/demo" --type Q4_K_M --dry-run --json | sed 's/"\(peak_bytes\|seconds\)":.*[0-9]/"\1": N/' |
    sed -n '1,22p;/peak_bytes/,$p'
