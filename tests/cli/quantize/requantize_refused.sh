# Quantizing twice is refused unless allowed.
$bantam quantize $root/demo -o q8.gguf --type Q8_0 -q
$bantam quantize q8.gguf -o q4.gguf --type Q4_0
echo "exit $?"
$bantam quantize q8.gguf -o q4.gguf --type Q4_0 --allow-requantize -q && ls
