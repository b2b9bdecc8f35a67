[ -n "$shared" ] || { echo 'skip: no reference data'; exit 77; }
cp "$shared/ref/quant/demo.imatrix.gguf" m.gguf
$bantam quantize "$root/demo" --type Q4_K_M --imatrix m.gguf --exclude-weights ffn_down --dry-run --json | sed -n '/"imatrix"/,/}\]/p' | sed -n 1,24p
