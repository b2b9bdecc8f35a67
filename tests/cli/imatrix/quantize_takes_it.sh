$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 -o m.gguf -q
$bantam quantize "$root/demo" -o q.gguf --type Q3_K_S --imatrix m.gguf -q
$bantam inspect q.gguf --json | grep '"quantize.imatrix' | sed "s|$root|ROOT|"
