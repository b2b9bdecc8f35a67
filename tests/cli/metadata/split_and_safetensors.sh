$bantam convert "$root/demo" -o d.gguf --type Q8_0 --split-size 2M -q
ls
$bantam metadata set d-00001-of-00003.gguf general.name=str:Split | sed 's/(.*)//'
head -c 9000 /dev/zero | tr '\0' x >long.txt
$bantam metadata set d-00001-of-00003.gguf my.text=file:long.txt | sed 's/(.*)//'
$bantam metadata list d-00001-of-00003.gguf general.name
$bantam inspect d-00001-of-00003.gguf | sed -n 2p
$bantam metadata set d-00002-of-00003.gguf general.name=str:Split
$bantam convert "$root/demo" -o st --type BF16 -q
$bantam metadata set st/model.safetensors note=str:hello | sed 's/(.*)//'
$bantam metadata list st/model.safetensors
$bantam metadata set st/model.safetensors note=u32:1
$bantam metadata set st note=str:x
$bantam inspect st | sed -n 2p
