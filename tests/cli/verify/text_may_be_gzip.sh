gzip -c "$root/demo/text.txt" >t.gz
ppl() { $bantam perplexity "$root/demo" --text "$1" --context 128 --json | grep -E 'perplexity"'; }
[ "$(ppl t.gz)" = "$(ppl "$root/demo/text.txt")" ] && echo same
