# The last weight of the file, of a tensor that keeps its type, becomes a NaN; then an infinity.
$bantam convert $root/demo -o x.gguf --type bf16 -q
size=$(stat -c %s x.gguf)
for bytes in '\xff\xff\xff\x7f' '\x00\x00\x80\xff'; do
    printf "$bytes" | dd of=x.gguf bs=1 seek=$((size - 4)) conv=notrunc status=none
    $bantam quantize x.gguf -o q.gguf --type Q4_0
    echo "exit $?"
done
ls
