. "$root/tests/store_home.sh"
$bantam convert "$root/demo" -o demo.gguf --type Q8_0 -q --metadata "tokenizer.chat_template=str:{{ '<|im_start|>' }}"
printf 'A license,\nin two lines.\n' >LICENSE
$bantam store demo.gguf --in ollama:Tiny:q8 --dry-run | here
$bantam store demo.gguf --in ollama:Tiny:q8 | here
cd .ollama/models
find . -type f | here | sort
here <manifests/registry.ollama.ai/library/Tiny/q8
for blob in blobs/*; do # every blob is named by its SHA-256
    [ "$(sha256sum "$blob" | cut -c1-64)" = "${blob#blobs/sha256-}" ] || echo "wrong name: $blob"
done
grep -l im_start blobs/* | while read -r blob; do [ $(stat -c %s "$blob") -lt 10000 ] && cat "$blob"; done
cd "$HOME"
cmp .ollama/models/blobs/sha256-$(sha256sum demo.gguf | cut -c1-64) demo.gguf && echo equal
$bantam list ollama | here
$bantam inspect ollama:tiny:Q8 | sed -n 2,4p
$bantam store demo.gguf --in ollama:tiny:q8 2>&1 | here
$bantam store demo.gguf --in ollama:me/tiny -q && $bantam list ollama: | here
$bantam store demo.gguf --in ollama:tiny:q8 --force -q && echo replaced
rm .ollama/models/blobs/sha256-$(sha256sum LICENSE | cut -c1-64)
$bantam inspect ollama:tiny:q8 2>&1 | sed -n 2,3p
$bantam list ollama | here
for name in ollama:../../etc ollama:a/../b ollama: ollama:a:b:c ollama:.hidden; do $bantam inspect $name 2>&1 | sed -n 1p; done
