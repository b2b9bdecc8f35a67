$bantam quantize "$root/demo" --size 2.7M -o out.gguf -q
stat -c %s out.gguf
$bantam quantize "$root/demo" --size 2.7M --dry-run --json | sed -n '2,4p'
$bantam quantize "$root/demo" --bpw 6.6 --dry-run --json | sed -n '2,4p'
$bantam quantize "$root/demo" --size 1M --dry-run
