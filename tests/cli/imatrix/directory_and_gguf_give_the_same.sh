$bantam convert "$root/demo" -o f32.gguf --type F32 -q
for m in "$root/demo" f32.gguf; do
    $bantam imatrix "$m" --text "$root/demo/text.txt" --context 128 --chunks 3 -o "$(basename "$m").m" -q
done
cmp demo.m f32.gguf.m && echo same
