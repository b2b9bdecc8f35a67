$bantam convert "$root/demo" -o a.gguf --type F16 --split-size 3M -q
$bantam quantize a-00001-of-*.gguf --type Q4_K_M --keep-split -o b.gguf -q
$bantam quantize "$root/demo" --type Q4_K_M -o whole.gguf -q
ls
for f in a b; do $bantam inspect $f-00001-of-*.gguf --json --tensors | sed -n 's/"file":\t*".-0/0/p' | cut -c1-8 | uniq -c; done
$bantam inspect whole.gguf --hashes --json | grep xxh3 | sort >1
$bantam inspect b-00001-of-*.gguf --hashes --json | grep xxh3 | sort | cmp - 1 && echo the same tensors
