# the same as a page: damage is named, names from files are no markup
export SOURCE_DATE_EPOCH=1700000000
$bantam convert "$root/demo" -o k.gguf --type Q8_0 --metadata llama.rope.freq_base=f32:500000 --metadata 'general.name=str:<script>x' -q
$bantam verify k.gguf --against "$root/demo" --static --report k.html -q 2>err; echo "exit $?"
grep -ciE '<script|https?:' k.html
sed -n 's/<[^>]*>//g;/Key llama/p;/Key general/p;/Differs:/p' k.html
grep -oE '<h2[^>]*>[^<]*' k.html
$bantam convert "$root/demo" -o q.gguf --type Q8_0 -q
$bantam verify q.gguf --against "$root/demo" --static --report k.html -q; echo "exit $?"
$bantam verify q.gguf --against "$root/demo" --static --report k.html -q --force && sed -n 's/<[^>]*>//g;/Sound:/p' k.html
