# bf16 safetensors straight to a type gives what bf16 GGUF and then that type give
$bantam convert "$root/demo" -o bf16.gguf --type bf16 -q || exit
for type in Q4_K_M Q5_1 Q3_K_L; do
    $bantam convert "$root/demo" -o a.gguf --type $type -q --force && $bantam quantize bf16.gguf -o b.gguf --type $type -q --force || exit
    cmp a.gguf b.gguf && echo "$type same"
done
