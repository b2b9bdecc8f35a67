# A source that names a matrix already: with --no-provenance nothing names one, otherwise the new one does.
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 --chunks 2 -o first.gguf -q
cp first.gguf second.gguf
$bantam quantize "$root/demo" -o q8.gguf --type Q8_0 --imatrix first.gguf -q
for with in "" --no-provenance; do
    $bantam quantize q8.gguf -o q.gguf --force --type Q4_K_M --allow-requantize --imatrix second.gguf $with -q
    echo "$with: $($bantam inspect q.gguf --json | grep -E 'quantize.imatrix.(file|entries)' | tr -d '\n\t')"
done
