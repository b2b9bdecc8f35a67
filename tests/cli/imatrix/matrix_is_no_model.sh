m=$root/tests/golden/imatrix/experts.gguf
for command in "quantize $m -o x.gguf --type Q4_K_M" "convert $m -o x.gguf" "convert $m -o x --to safetensors" "imatrix $m --text $root/demo/text.txt -o x" "verify $m --against $m"; do
    $bantam $command 2>&1 | sed "s|$root|ROOT|g"
    echo "exit ${PIPESTATUS[0]}"
done
ls
