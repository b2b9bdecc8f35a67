$bantam convert "$root/demo" -o out.gguf --type Q8_0 --split-size 1M -q || exit
$bantam convert "$root/demo" -o whole.gguf --type Q8_0 -q || exit
ls
hashes() { $bantam inspect "$1" --hashes --json | grep -E '"(name|xxh3)"' | grep -A1 '"name"' ; }
hashes out-00001-of-00006.gguf >a; hashes whole.gguf >b
cmp a b && echo "the same tensors"
rm out-00003-of-00006.gguf
$bantam inspect out-00001-of-00006.gguf
