# layers left out on purpose: the same option makes the file and its check, also behind an importance matrix
$bantam convert "$root/demo" -o p.gguf --type Q4_K_M --prune-layers 2,0 -q
$bantam verify p.gguf --against "$root/demo" --static --prune-layers 0,2 -v | grep -vE 'compared in'
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 2 -o i.gguf -q
$bantam quantize "$root/demo" -o i4.gguf --type IQ4_XS --imatrix i.gguf --prune-layers 1 -q
$bantam verify i4.gguf --against "$root/demo" --static --imatrix i.gguf --prune-layers 1 | sed -n 2,7p
$bantam verify i4.gguf --against "$root/demo" --static --imatrix i.gguf --prune-layers 2 2>&1 | grep -E 'DIFFERS|bantam:'
$bantam convert "$root/demo" -o d -q
$bantam verify d --against "$root/demo" --static --prune-layers 1
$bantam verify p.gguf --against "$root/demo" --prune-layers 1
echo "exit $?"
