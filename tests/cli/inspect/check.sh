# Manifests of sha256sum and of inspect itself; a flipped byte is found in the file and in its tensor.
$bantam convert "$root/demo" -o a.gguf --type Q8_0 -q
sha256sum a.gguf >SUMS
$bantam inspect a.gguf --check SUMS
$bantam inspect a.gguf --hashes --sha256 --json >manifest.json
$bantam inspect a.gguf --sha256 | tail -n 1 | cmp - SUMS && echo as sha256sum
$bantam inspect a.gguf --check manifest.json
at=$(($(stat -c %s a.gguf) - 100))
printf '\377\377' | dd of=a.gguf bs=1 seek=$at conv=notrunc status=none
$bantam inspect a.gguf --check manifest.json
echo "exit $?"
$bantam inspect a.gguf --check SUMS --json | sed -n 1,4p
echo nothing >SUMS
$bantam inspect a.gguf --check SUMS
$bantam metadata set a.gguf general.name=str:Same -q
$bantam inspect a.gguf --fingerprint | tail -n 1
