# Each under its own code: what readers refuse.
for f in git-lfs-pointer.safetensors data-short.safetensors data-behind.safetensors header-over-limit.safetensors empty.gguf data-overlap.safetensors big-endian.gguf; do
    $bantam doctor "$root/tests/bad/formats/$f" --json 2>/dev/null | grep '"code"' | sed "s/^[^:]*:/$f/"
done
cp -r "$root/tests/golden/formats/shards" s
for f in s/*.safetensors; do rm "$f" && break; done
$bantam doctor s --json 2>/dev/null | grep '"code"'
$bantam doctor nothing.gguf
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
head -c 100000 d.gguf >short.gguf
$bantam doctor short.gguf
echo "exit $?"
head -c 5000 /dev/zero >>d.gguf
$bantam doctor d.gguf --fast
