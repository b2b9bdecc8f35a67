# sums and counts of two halves; the text of both as one has the same number of tokens
head -c 3000 "$root/demo/text.txt" >a
tail -c +3001 "$root/demo/text.txt" >b
for t in a b; do
    $bantam imatrix "$root/demo" --text $t --context 64 --chunks 4 -o $t.gguf -q || exit
done
$bantam imatrix --merge a.gguf b.gguf -o m.gguf --json | grep -vE 'seconds|peak'
$bantam imatrix --show m.gguf --json >m
sums() { $bantam imatrix --show "$1" --json | awk -F: '/"sum"/ { printf "%.9g\n", $2 }'; }
paste <(sums a.gguf) <(sums b.gguf) <(sums m.gguf) | awk '{ d = ($1 + $2) / 2 / $3 - 1; if (d > 1e-5 || d < -1e-5) print "means do not add up:", $0; n++ } END { print n, "means" }'
grep -A 4 datasets m
