# killed among the questions, and again while the text is read: what was found out counts, the figures are the same, no litter stays
[ -z "${SAN:-}" ] || { echo "skip: too slow"; exit 77; }
cp -r "$root/demo" original
$bantam convert original -o q.gguf --type Q4_0 -q
run() {
    $bantam verify q.gguf --against original --text "$root/demo/text.txt" --context 64 --chunks 4 --choices "$root/tests/golden/choices/data" --memory 1M --json "$@" >json
    grep -o '"resumed.*[a-z]' json
    grep -vE 'seconds|_bytes|resumed' json
}
run >plain
for at in 2 4 10; do
    (BANTAM_TEST_KILL=layer:$at run) >/dev/null 2>&1
    ls | sed 's/verify\.[0-9a-f]*/verify.X/' | grep part
done
run -j 1 >resumed
diff plain resumed
ls | grep part || echo no litter
