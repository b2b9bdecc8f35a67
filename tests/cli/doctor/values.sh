# NaN and a matrix of zeros, found in the weights themselves.
$bantam convert "$root/demo" -o d.gguf --type F16 -q
place() { $bantam inspect d.gguf --json --tensors | grep -A8 "\"$1\"" | sed -n 's/.*"offset":[^0-9]*\([0-9]*\).*/\1/p'; }
printf '\377\377' | dd of=d.gguf bs=1 seek=$(($(place blk.1.ffn_up.weight) + 2000)) conv=notrunc status=none
printf '\000\174' | dd of=d.gguf bs=1 seek=$(($(place blk.2.ffn_up.weight) + 6)) conv=notrunc status=none
dd if=/dev/zero of=d.gguf bs=1 seek=$(place blk.0.attn_k.weight) count=65536 conv=notrunc status=none
$bantam doctor d.gguf
echo "exit $?"
