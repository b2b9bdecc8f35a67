# a file without a layer: tensors that are missing, and behind it each layer holds the next one's weights
$bantam convert "$root/demo" -o p.gguf --type Q4_0 --prune-layers 1 -q
$bantam verify p.gguf --against "$root/demo" --static -v | grep -vE 'compared in'
