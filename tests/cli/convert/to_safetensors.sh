$bantam convert "$root/demo" -o dir --type F16 | sed 's/done in [^;]*/done in T/'
ls dir
grep dtype dir/config.json
$bantam convert dir -o a.gguf --type F16 -q && $bantam convert "$root/demo" -o b.gguf --type F16 -q || exit
hashes() { $bantam inspect "$1" --hashes --json | grep -E '"xxh3"'; }
hashes a.gguf >a; hashes b.gguf >b; cmp a b && echo "the same weights by either road"
