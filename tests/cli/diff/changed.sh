$bantam convert "$root/demo" -o a.gguf --type Q8_0 -q
$bantam convert "$root/demo" -o b.gguf --type Q4_K_M -q --metadata general.name=str:Another
$bantam diff a.gguf b.gguf
echo "exit $?"
$bantam diff a.gguf b.gguf --json | sed -n '1,30p'
$bantam convert a.gguf -o c.gguf --prune-layers 3 -q
$bantam diff a.gguf c.gguf | sed -n 3,12p
$bantam diff --fingerprint a.gguf b.gguf -q
