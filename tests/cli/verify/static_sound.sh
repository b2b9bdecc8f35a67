# a file of Bantam's is byte for byte what the source converts to, and a requantized one what its GGUF does
for type in auto F16 Q8_0 Q4_K_M; do
    $bantam convert "$root/demo" -o $type.gguf --type $type -q
    $bantam verify $type.gguf --against "$root/demo" --static >o || exit
    sed -n 2p o
done
$bantam quantize F16.gguf -o again.gguf --type Q5_K_M -q
$bantam verify again.gguf --against F16.gguf --static | sed '$d'
$bantam verify again.gguf --against "$root/demo" --static -q && echo quiet
$bantam convert "$root/demo" -o dir --type F16 -q
$bantam verify dir --against "$root/demo" --static | sed -n 2,6p
$bantam convert auto.gguf -o back -q
$bantam verify back --against auto.gguf --static | sed -n 2,6p
