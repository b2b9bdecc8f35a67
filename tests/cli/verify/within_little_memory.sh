# hidden states in a file, models read in part under a limit on address space: the same figures, and no litter
[ -z "${SAN:-}" ] || { echo "skip: sanitizers reserve more"; exit 77; }
ldd "$bantam" | grep -q libomp && { echo "skip: LLVM's OpenMP aborts when it gets no memory"; exit 77; }
cp -r "$root/demo" original
$bantam convert original -o q.gguf --type F32 -q
run() { timeout 60 $bantam verify q.gguf --against original --text "$root/demo/text.txt" --context 128 --json "$@" | grep -vE 'seconds|_bytes|resumed'; }
run >plain
run --memory 1M >spilled
(ulimit -v 420000; run --memory 1M) >limited
cmp plain spilled && cmp plain limited && [ -s plain ] && echo same
ls | grep part || echo no litter
