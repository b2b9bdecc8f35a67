for type in F32 F16 BF16 Q8_0 Q4_0 Q4_K_M Q2_K; do
    planned=$($bantam quantize "$root/demo" --type $type --dry-run --json | sed -n 's/^\t"bytes":\t*\([0-9]*\),/\1/p')
    $bantam quantize "$root/demo" --type $type -o $type.gguf -q || exit
    [ "$planned" = "$(stat -c %s $type.gguf)" ] && echo "$type $planned"
done
