# What does not fit into the 4 KiB of room takes a rewrite; so does a file that has another name.
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
$bantam inspect d.gguf --json --hashes | grep xxh3 >before
head -c 9000 /dev/zero | tr '\0' x >long.txt
$bantam metadata set d.gguf my.text=file:long.txt --dry-run | sed 's/(.*)//'
$bantam metadata set d.gguf my.text=file:long.txt | sed 's/(.*)//'
$bantam metadata set d.gguf general.name=str:A | sed 's/(.*)//'
ln d.gguf other.gguf
$bantam metadata set d.gguf general.name=str:B | sed 's/(.*)//'
$bantam metadata list d.gguf general.name
$bantam metadata list other.gguf general.name
$bantam inspect d.gguf --json --hashes | grep xxh3 | cmp - before && echo same tensors
ls
