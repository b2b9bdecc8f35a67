# what a run will take, and nothing is run; figures as ranges: they are this machine's
$bantam verify "$root/demo" --against "$root/demo" --text "$root/demo/text.txt" --context 128 --dry-run --json >j || exit
value() { sed -n "s/.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" j; }
awk -v s="$(value seconds)" -v m="$(value memory_bytes)" 'BEGIN {
    print (s > 0.01 && s < 600 ? "time in range" : "seconds " s), (m > 2e7 && m < 1e9 ? "memory in range" : "memory " m) }'
grep -E 'tokens|chunks|disk' j
$bantam perplexity "$root/demo" --text "$root/demo/text.txt" --context 128 --dry-run | sed 's/[0-9][0-9.]*/N/g; s/about.*, N/about N, N/'
