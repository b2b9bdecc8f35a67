# One bit of one tensor: the tensor is named, and by how much.
$bantam convert "$root/demo" -o a.gguf --type F16 -q
cp a.gguf b.gguf
at=$($bantam inspect a.gguf --json --tensors | grep -A8 '"blk.2.ffn_up.weight"' | sed -n 's/.*"offset":[^0-9]*\([0-9]*\).*/\1/p')
byte=$(dd if=a.gguf bs=1 skip=$((at + 1001)) count=1 status=none | od -An -tu1)
printf "\\$(printf %o $((byte ^ 1)))" | dd of=b.gguf bs=1 seek=$((at + 1001)) conv=notrunc status=none
$bantam diff a.gguf b.gguf
