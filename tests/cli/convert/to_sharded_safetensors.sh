$bantam convert "$root/demo" -o dir --split-size 3M -q || exit
ls dir
$bantam convert dir -o a.gguf -q && $bantam convert "$root/demo" -o b.gguf -q && cmp <($bantam inspect a.gguf --hashes --json | grep xxh3 | sort) <($bantam inspect b.gguf --hashes --json | grep xxh3 | sort) && echo same
