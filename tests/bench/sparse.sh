#!/usr/bin/env bash
# Models of the largest published shapes whose weights are holes in sparse files: how long plans take, and how much memory plans and
# conversions do. `make sparse` runs it; SPARSE_DIR says where (default: a temporary directory). Closes with 'N passed, N failed'.
set -u
cd "$(dirname "$0")/../.." || exit 2
BUILD=${BUILD:-build/gcc} bantam=$PWD/${BANTAM:-bantam} tokenizers=$PWD/tests/golden/tokenizer
dir=$(mktemp -d "${SPARSE_DIR:-${TMPDIR:-/tmp}}/bantam-sparse-XXXXXX") || exit 2
trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
export OMP_WAIT_POLICY=passive

# NAME SECONDS MEGABYTES TRIES COMMAND...
check() {
    local name=$1 line
    shift
    if line=$("$BUILD/within" "$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok   $name: $line"
    else
        failed=$((failed + 1))
        echo "FAIL $name: $line"
    fi
}

# MODEL TOKENIZER: the whole model in DIR/MODEL
make_model() {
    "$BUILD/make_sparse" "$dir/$1" "$1" && cp "$tokenizers/$2"/tokenizer* "$dir/$1/"
}

# A conversion of FIRST_LAYERS to a sparse target, if the file system has the room that the whole would need.
convert_part() { # MODEL GIGABYTES SECONDS OPTION...
    local model=$1 free
    free=$(df -P --block-size=1000000000 "$dir" | awk 'NR == 2 { print $4 }')
    if [ "$free" -le "$2" ]; then
        echo "skip $model, one layer: $free GB free, $2 wanted"
        return
    fi
    check "$model: convert one layer" "$3" 300 1 "$bantam" convert "$dir/$model" -o "$dir/out.gguf" -q "${@:4}"
    if [ -e "$dir/out.gguf" ] && [ "$(du -m "$dir/out.gguf" | cut -f 1)" -gt 100 ]; then
        failed=$((failed + 1))
        echo "FAIL $model: the target is not sparse: $(du -m "$dir/out.gguf")"
    fi
    rm -f "$dir/out.gguf"
}

make_model llama-405b llama3-added
make_model mixtral-8x22b spm-bpe
for model in llama-405b mixtral-8x22b; do
    check "$model: inspect" 0.1 64 20 "$bantam" inspect "$dir/$model"
    check "$model: inspect, by the index" 0.1 64 20 "$bantam" inspect "$dir/$model/model.safetensors.index.json"
    check "$model: convert --dry-run" 2 300 5 "$bantam" convert "$dir/$model" --dry-run
    check "$model: quantize Q4_K_M --dry-run --json" 2 300 5 "$bantam" quantize "$dir/$model" --type Q4_K_M --dry-run --json
done
convert_part mixtral-8x22b 6 300 --prune-layers "$(seq -s, 1 55)"
convert_part llama-405b 15 600 --prune-layers "$(seq -s, 1 125)"
"$BUILD/make_sparse" "$dir/gpt2-wide" gpt2-wide 1 && cp "$tokenizers/starcoder"/tokenizer* "$dir/gpt2-wide/"
convert_part gpt2-wide 3 120 --type BF16
echo "$passed passed, $failed failed"
[ $failed = 0 ]
