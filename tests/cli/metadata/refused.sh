$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
ln -s d.gguf link.gguf
$bantam metadata set link.gguf general.name=str:x
$bantam metadata set d.gguf general.alignment=u32:64
$bantam metadata set d.gguf llama.block_count=str:4
$bantam metadata set d.gguf general.name
$bantam metadata set d.gguf a=u8:256
$bantam metadata unset d.gguf none
$bantam metadata unset d.gguf general.architecture
$bantam metadata set d.gguf
$bantam metadata drop d.gguf
$bantam metadata list nothing.gguf
