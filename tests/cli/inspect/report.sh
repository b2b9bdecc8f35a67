# the page of a model: what comes from its files is no markup, an old page stays, and nothing beyond it is fetched
export SOURCE_DATE_EPOCH=1700000000
json='{"<script>alert(1)</script>":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"__metadata__":{"format":"<img src=x>"}}'
{ printf "\\x$(printf %x ${#json})\\0\\0\\0\\0\\0\\0\\0%s\\0\\0\\0\\0" "$json"; } >evil.safetensors
$bantam inspect evil.safetensors --report evil.html >out; echo "exit $?"
grep -ciE '<script|<img|https?:' evil.html
grep -oE '<code>&lt;script&gt;alert\(1\)&lt;/script&gt;</code>' evil.html
$bantam inspect evil.safetensors --report evil.html; echo "exit $?"
$bantam inspect evil.safetensors --report evil.safetensors --force; echo "exit $?"
$bantam convert "$root/demo" -o q.gguf --type Q4_K_M -q
$bantam inspect q.gguf --report q.html >out && grep -oE '<h2[^>]*>[^<]*|<dd>gguf[^<]*' q.html
$bantam inspect q.gguf --report again.html --force >out && cmp <(sed 's/again.html --force/q.html/' again.html) q.html && echo same
