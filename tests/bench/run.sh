#!/usr/bin/env bash
# Bantam beside llama.cpp on one machine in one run; ratios are what counts. The peer is optional:
#   PEER_BIN       directory with llama-quantize and llama-perplexity
#   PEER_CONVERT   convert_hf_to_gguf.py, run by PEER_PYTHON (python3)
#   BENCH_DIR      scratch space on the disk to measure (build/bench); about 4 GB
#   BENCH_TYPES    what quantize is measured for
#   BENCH_THREADS  2
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=${BENCH_DIR:-build/bench} threads=${BENCH_THREADS:-2} python=${PEER_PYTHON:-python3}
bantam=$PWD/${BANTAM:-bantam}
mkdir -p "$dir"
[ -e "$dir/hf/config.json" ] || {
    mkdir -p "$dir/hf"
    cp demo/tokenizer.model demo/tokenizer_config.json "$dir/hf/"
    "$BUILD/make_model" "$dir/hf" 6 2048 5632 32 8 25600 || exit 1
}

# Best of three: seconds and peak memory of COMMAND, after OUT was removed.
best_seconds=0 best_kb=0
measure() { # OUT COMMAND...
    local out=$1 seconds kb
    shift
    best_seconds=999999
    for _ in 1 2 3; do
        rm -f "$out" "$out".part*
        /usr/bin/time -f '%e %M' -o "$dir/time" "$@" >"$dir/log" 2>&1 || { echo "failed: $*"; tail -3 "$dir/log"; return 1; }
        read -r seconds kb < <(tail -n 1 "$dir/time")
        if [ "$(echo "$seconds < $best_seconds" | bc)" = 1 ]; then best_seconds=$seconds; fi
        best_kb=$kb
    done
}
ratio() { echo "scale=2; $1 / $2" | bc; }
row() { printf '%-44s %8s s %9s MB   %s\n' "$1" "$2" "$(($3 / 1000))" "$4"; }

source=$dir/hf/model.safetensors
bytes=$(stat -c %s "$source")
echo "model: $((bytes / 2 / 1000000)) M weights, bf16, $threads threads"
cat "$source" >/dev/null

for type in ${BENCH_TYPES:-Q4_K_M Q8_0 Q4_0 Q6_K}; do
    measure "$dir/b.gguf" "$bantam" convert "$dir/hf" -o "$dir/b.gguf" --type "$type" -j "$threads" -q || exit 1
    ours=$best_seconds kb=$best_kb
    size=$(stat -c %s "$dir/b.gguf")
    # The bound: read the source, write as many bytes as the result has, with the same sync at the end.
    measure "$dir/copy" sh -c "cat '$source' >/dev/null; head -c $size '$source' >'$dir/copy'; sync '$dir/copy'"
    row "bantam convert hf -> $type" "$ours" "$kb" "$(ratio "$ours" "$best_seconds") x reading and writing the bytes"
done

if [ -n "${PEER_CONVERT:-}" ] && [ -n "${PEER_BIN:-}" ]; then
    measure "$dir/p.gguf" "$python" "$PEER_CONVERT" "$dir/hf" --outfile "$dir/p.gguf" --outtype bf16
    peer_convert=$best_seconds
    row "convert_hf_to_gguf.py hf -> bf16" "$peer_convert" "$best_kb" ""
    for type in ${BENCH_TYPES:-Q4_K_M Q8_0 Q4_0 Q6_K}; do
        measure "$dir/q.gguf" "$PEER_BIN/llama-quantize" "$dir/p.gguf" "$dir/q.gguf" "$type" "$threads"
        peer=$best_seconds peer_kb=$best_kb
        row "llama-quantize bf16 -> $type" "$peer" "$peer_kb" ""
        measure "$dir/b.gguf" "$bantam" quantize "$dir/p.gguf" -o "$dir/b.gguf" --type "$type" -j "$threads" -q
        row "bantam quantize bf16 -> $type" "$best_seconds" "$best_kb" "$(ratio "$peer" "$best_seconds") x as fast"
        measure "$dir/b.gguf" "$bantam" convert "$dir/hf" -o "$dir/b.gguf" --type "$type" -j "$threads" -q
        row "bantam convert hf -> $type" "$best_seconds" "$best_kb" \
            "$(ratio "$(echo "$peer_convert + $peer" | bc)" "$best_seconds") x convert + llama-quantize"
    done
fi
