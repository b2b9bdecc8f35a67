#!/usr/bin/env bash
# Bantam beside llama.cpp on one machine in one run. Ratios are what counts: of wall time, and of CPU time (user and
# system), which other work on the machine disturbs less. Ours is the best of REPEAT runs, the peer's time that of one.
#   PEER_BIN       directory with llama-quantize; without it only Bantam is measured
#   PEER_CONVERT   convert_hf_to_gguf.py, run by PEER_PYTHON (python3)
#   BENCH_DIR      scratch space on the disk to measure (build/bench); about 5 GB
#   BENCH_TYPES    what is measured against llama-quantize: a list, or "all"; IQ types on a small model, see below
#   BENCH_PARTS    copy types matrix convert sources threads verify
#   BENCH_TEXT     what verify and perplexity read: UTF-8, at least 4096 tokens (demo/text.txt, six times)
#   BENCH_THREADS  2
#   BENCH_REPEAT   3
set -u
cd "$(dirname "$0")/../.." || exit 2
dir=${BENCH_DIR:-build/bench} threads=${BENCH_THREADS:-2} python=${PEER_PYTHON:-python3} repeat=${BENCH_REPEAT:-3}
bantam=$PWD/${BANTAM:-bantam} build=${BUILD:-build/gcc}
parts=" ${BENCH_PARTS:-copy types matrix convert sources threads verify} "
types=${BENCH_TYPES:-Q4_K_M Q6_K IQ2_XS}
[ "$types" != all ] || types="Q2_K Q2_K_S Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M Q6_K Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 TQ1_0 TQ2_0
    Q1_0 Q2_0 MXFP4_MOE IQ4_NL IQ4_XS IQ1_S IQ1_M IQ2_XXS IQ2_XS IQ2_S IQ2_M IQ3_XXS IQ3_XS IQ3_S IQ3_M"

# DIR and the arguments of make_model
make_dir() {
    [ ! -e "$1/imatrix.dat" ] || return 0
    mkdir -p "$1"
    cp demo/tokenizer.model demo/tokenizer_config.json "$1/"
    "$build/make_model" "$@" || exit 1
}
make_gguf() { [ -e "$2" ] || "$bantam" convert "$1" -o "$2" --type "$3" -q || exit 1; }
wants() { case $parts in *" $1 "*) return 0 ;; *) return 1 ;; esac; }

# Best wall seconds, least CPU seconds and the peak of memory in TIMES runs of COMMAND, after OUT was removed.
wall=0 cpu=0 kb=0
measure() { # TIMES OUT COMMAND...
    local times=$1 out=$2 e u s m c
    shift 2
    wall=999999 cpu=999999 kb=0
    for _ in $(seq "$times"); do
        rm -f "$out" "$out".part*
        /usr/bin/time -f '%e %U %S %M' -o "$dir/time" "$@" >"$dir/log" 2>&1 || { echo "failed: $*"; tail -3 "$dir/log"; return 1; }
        read -r e u s m < <(tail -n 1 "$dir/time")
        c=$(echo "$u + $s" | bc)
        if [ "$(echo "$e < $wall" | bc)" = 1 ]; then wall=$e; fi
        if [ "$(echo "$c < $cpu" | bc)" = 1 ]; then cpu=$c; fi
        if [ "$m" -gt "$kb" ]; then kb=$m; fi
    done
}
over() { awk "BEGIN { printf \"%.1f\", $1 / ($2 > 0.005 ? $2 : 0.005) }"; }
row() { printf '%-40s %7s s %7s s CPU %6s MB   %s\n' "$1" "$wall" "$cpu" "$((kb / 1000))" "${2:-}"; }
ours() { # LABEL SOURCE TYPE [OPTION]...
    local label=$1 from=$2 type=$3
    shift 3
    measure "$repeat" "$dir/b.gguf" "$bantam" quantize "$from" -o "$dir/b.gguf" --type "$type" -j "$threads" -q "$@" || exit 1
    [ -z "$label" ] || row "$label"
}

large=$dir/large small=$dir/small
make_dir "$large" 6 2048 5632 32 8 25600        # 375 M weights
make_dir "$small" 2 1024 2816 16 8 2048         # 30 M, as llama-quantize needs minutes of CPU for the lattices
make_gguf "$large" "$large.bf16.gguf" BF16
make_gguf "$small" "$small.bf16.gguf" BF16
echo "bf16 models of 375 M weights, for IQ types of 30 M; $threads threads; load $(cut -d' ' -f1-3 /proc/loadavg)"
cat "$large.bf16.gguf" >/dev/null

# The bound of the simple encodings: read the source, write as many bytes as the result has, with the same sync.
copy_row() { # TYPE
    local w c size
    ours '' "$large.bf16.gguf" "$1"
    row "bantam bf16 -> $1"
    w=$wall c=$cpu size=$(stat -c %s "$dir/b.gguf")
    measure "$repeat" "$dir/copy" sh -c "cat '$large.bf16.gguf' >/dev/null; head -c $size '$large.bf16.gguf' >'$dir/copy'; sync '$dir/copy'"
    row "cat, head -c, sync of those bytes" "$(over "$w" "$wall") x the time, $(over "$c" "$cpu") x the CPU time to copy"
}

peer_row() { # TYPE [MATRIX]
    local model=$large w c with=${2:+, matrix}
    case $1 in IQ[123]*) model=$small ;; esac
    measure 1 "$dir/q.gguf" "$PEER_BIN/llama-quantize" ${2:+--imatrix "$model/imatrix.dat"} "$model.bf16.gguf" "$dir/q.gguf" "$1" "$threads" || return
    row "llama-quantize bf16 -> $1$with"
    w=$wall c=$cpu
    ours '' "$model.bf16.gguf" "$1" ${2:+--imatrix "$model/imatrix.dat"}
    row "bantam bf16 -> $1$with" "$(over "$w" "$wall") x as fast, $(over "$c" "$cpu") x less CPU time"
}

convert_row() {
    local w c
    measure 1 "$dir/p.gguf" "$python" "$PEER_CONVERT" "$large" --outfile "$dir/p.gguf" --outtype bf16 || return
    row "convert_hf_to_gguf.py -> bf16"
    w=$wall c=$cpu
    measure 1 "$dir/q.gguf" "$PEER_BIN/llama-quantize" "$dir/p.gguf" "$dir/q.gguf" Q4_K_M "$threads" || return
    row "llama-quantize bf16 -> Q4_K_M"
    w=$(echo "$w + $wall" | bc) c=$(echo "$c + $cpu" | bc)
    measure "$repeat" "$dir/b.gguf" "$bantam" convert "$large" -o "$dir/b.gguf" --type Q4_K_M -j "$threads" -q || exit 1
    row "bantam convert directory -> Q4_K_M" "$(over "$w" "$wall") x as fast, $(over "$c" "$cpu") x less CPU time"
}

if wants copy; then
    for type in Q8_0 Q4_0 Q4_1 Q5_0 Q5_1; do copy_row "$type"; done
fi
if [ -n "${PEER_BIN:-}" ]; then
    for type in $types; do
        case $type in IQ1*|IQ2*) continue ;; esac       # these need a matrix
        ! wants types || peer_row "$type"
    done
    for type in $types; do
        case $type in TQ*|Q1_0|Q2_0|Q8_0|MXFP4*) continue ;; esac       # these have no use for one
        ! wants matrix || peer_row "$type" matrix
    done
    [ -z "${PEER_CONVERT:-}" ] || ! wants convert || convert_row
fi
if wants sources; then
    for source in F32 F16 BF16; do
        make_gguf "$large" "$large.${source,,}.gguf" "$source"
        for type in Q4_K_M Q8_0; do ours "bantam ${source,,} -> $type" "$large.${source,,}.gguf" "$type"; done
    done
fi
if wants threads && [ "$threads" -gt 1 ]; then
    threads=1 ours "bantam bf16 -> Q4_K_M, 1 thread" "$large.bf16.gguf" Q4_K_M
    one=$wall
    ours '' "$large.bf16.gguf" Q4_K_M
    row "bantam bf16 -> Q4_K_M, $threads threads" "$(over "100 * $one" "$wall * $threads") % of linear"
fi

# Perplexity of one model, and original and candidate with KL divergence against the two runs that the peer needs for it.
verify_rows() {
    local text=$dir/text w c chunks=8
    if [ -n "${BENCH_TEXT:-}" ]; then cp "$BENCH_TEXT" "$text"; else for _ in 1 2 3 4 5 6; do cat demo/text.txt; done >"$text"; fi
    make_gguf "$large" "$dir/candidate.gguf" Q4_K_M
    peer() { measure 1 "$dir/none" "$PEER_BIN/llama-perplexity" -f "$text" -t "$threads" -c 512 --chunks $chunks "$@"; }
    peer -m "$large.bf16.gguf" || return
    row "llama-perplexity, bf16"
    w=$wall c=$cpu
    measure "$repeat" "$dir/none" "$bantam" perplexity "$large.bf16.gguf" --text "$text" --chunks $chunks -j "$threads" || exit 1
    row "bantam perplexity, bf16" "$(awk "BEGIN { printf \"%.2f of the time, %.2f of the CPU time\", $wall / $w, $cpu / $c }")"
    peer -m "$large.bf16.gguf" --kl-divergence-base "$dir/base" || return
    row "llama-perplexity, base file"
    w=$wall c=$cpu
    peer -m "$dir/candidate.gguf" --kl-divergence-base "$dir/base" --kl-divergence || return
    row "llama-perplexity, Q4_K_M against it"
    w=$(echo "$w + $wall" | bc) c=$(echo "$c + $cpu" | bc)
    measure "$repeat" "$dir/none" "$bantam" verify "$dir/candidate.gguf" --against "$large.bf16.gguf" --text "$text" --chunks $chunks -j "$threads" || exit 1
    row "bantam verify, bf16 and Q4_K_M" "$(awk "BEGIN { printf \"%.2f of the time, %.2f of the CPU time\", $wall / $w, $cpu / $c }")"
    rm -f "$dir/base" "$dir/candidate.gguf" "$text"
}
if [ -n "${PEER_BIN:-}" ] && wants verify; then verify_rows; fi
rm -f "$dir"/[bpq].gguf "$dir/copy" "$dir/time" "$dir/log"
