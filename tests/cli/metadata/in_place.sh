$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
$bantam inspect d.gguf --json --hashes | grep xxh3 >before
size=$(stat -c %s d.gguf)
$bantam metadata set d.gguf general.name=str:Another my.count=u32:3 | sed 's/(.*)//'
$bantam metadata list d.gguf general.name my.count
$bantam metadata list d.gguf my.count --json
$bantam metadata unset d.gguf my.count -q
$bantam metadata list d.gguf | grep -c my.count
$bantam inspect d.gguf --json --hashes | grep xxh3 | cmp - before && echo same tensors
[ "$(stat -c %s d.gguf)" = "$size" ] && echo same size
ls
