$bantam convert "$root/demo" -o q.gguf --type Q3_K_M -q
for n in 1 2 5; do
    $bantam verify q.gguf --against "$root/demo" --text "$root/demo/text.txt" --context 128 --json -j $n | grep -vE '"(seconds|peak_bytes)"' >$n || exit
    cmp 1 $n || exit
done
echo same
