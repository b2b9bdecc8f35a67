# states beside the candidate are taken up by the same run only, which ends with the same figures
[ -z "${SAN:-}" ] || { echo "skip: too slow"; exit 77; }
cp -r "$root/demo" original
$bantam convert original -o q.gguf --type Q4_0 -q
for _ in 1 2 3 4 5 6; do cat "$root/demo/text.txt"; done >text
run() {
    $bantam verify q.gguf --against original --text text --context 64 --memory 1M --json -j 1 "$@" >json || exit
    grep -o "resumed.*[a-z]" json >&2
    grep -vE 'seconds|_bytes|resumed' json
}
run >plain
$bantam verify q.gguf --against original --text text --context 64 --memory 1M -q -j 1 &
for _ in $(seq 200); do
    sleep 0.02
    [ "$(cat q.gguf.verify.*.part.journal 2>/dev/null | wc -c)" -gt 800 ] && break
done
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
ls q.gguf.verify.* | sed 's/verify\.[0-9a-f]*/verify.X/'
run --chunks 3 >other
run >resumed
cmp plain resumed && echo same
ls | grep part || echo no litter
