$bantam convert "$root/demo" -o a.gguf --type Q8_0 -q
$bantam diff a.gguf a.gguf
$bantam convert a.gguf -o s.gguf --split-size 2M -q
$bantam diff a.gguf s-00001-of-00003.gguf
$bantam metadata set a.gguf general.name=str:Other -q
$bantam diff --fingerprint a.gguf s-00001-of-00003.gguf -q && echo same weights
$bantam convert "$root/demo" -o bf16.gguf -q
$bantam diff "$root/demo" bf16.gguf | sed 1,2d
