# the page: names from outside are no markup, it stands alone, an old one stays, and with a fixed date the same run gives the same bytes
export SOURCE_DATE_EPOCH=1700000000
$bantam convert "$root/demo" -o '<script>x.gguf' --type Q4_K_M -q
printf '{"text":"%s","category":"<img src=x>"}\n' "$(seq -s ' ' 1 400)" "$(seq -s ' ' 400 900)" >t.jsonl
run() { $bantam verify '<script>x.gguf' --against "$root/demo" --text t.jsonl --context 128 --report r.html "$@"; }
run -q; echo "exit $?"
cp r.html first.html
run -q -j 1; echo "exit $?"
run -q -j 1 --force && cmp <(sed 's/ -j 1 --force//' r.html) first.html && echo same
grep -ciE '<script|<img|https?:' r.html
grep -oE '&lt;script&gt;x.gguf answers as the original does on [0-9.]+ % of next words' r.html | sed 's/[0-9.]* %/N %/' | sort -u
grep -oE '<h2[^>]*>[^<]*' r.html
# the document that --json prints is in it
$bantam verify '<script>x.gguf' --against "$root/demo" --text t.jsonl --context 128 --json | grep -E '"(mean|top1_agreement|perplexity_ratio)"' >j
sed -n 's/&quot;/"/g;/"mean"/p;/"top1_agreement"/p;/"perplexity_ratio"/p' r.html | cmp - j && echo the same figures
$bantam verify '<script>x.gguf' --against "$root/demo" --text t.jsonl --report none/r.html; echo "exit $?"
