[ -n "$shared" ] || { echo 'skip: no reference data'; exit 77; }
cp "$shared/ref/quant/demo.imatrix.gguf" m.gguf
$bantam quantize "$root/demo" --type IQ3_XXS --imatrix m.gguf -o out.gguf | sed 's/done in .*;/done in T;/'
$bantam inspect out.gguf --json | grep quantize.imatrix
$bantam quantize "$root/demo" --type IQ3_XXS --imatrix m.gguf --no-provenance -o bare.gguf -q
$bantam inspect bare.gguf --json | grep -c quantize.imatrix
