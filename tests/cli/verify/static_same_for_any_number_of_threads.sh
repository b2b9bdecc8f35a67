$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 --chunks 4 -o m.gguf -q
$bantam convert "$root/demo" -o q.gguf --type auto -q && $bantam quantize q.gguf -o i.gguf --type IQ3_XXS --imatrix m.gguf -q
for n in 1 2 5; do
    $bantam verify i.gguf --against "$root/demo" --static --json -j $n | grep -vE '"(seconds|peak_bytes)"' >$n
    cmp 1 $n || exit
done
grep verdict 1
$bantam verify i.gguf --against "$root/demo" --static --imatrix m.gguf | sed -n 2,4p
