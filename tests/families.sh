#!/usr/bin/env bash
# Every reference model of a family: quantized straight from its directory to Q4_K_M, verified against that directory, and derived
# from it once more; and its F32 GGUF, which must compute exactly what the directory does. Needs ../shared.
#
# usage: tests/families.sh [NAME...]      BANTAM, BANTAM_SHARED and BANTAM_TEXT say where things are
# Closes with 'N passed, N failed'.
set -u
bantam=${BANTAM:-./bantam} text=${BANTAM_TEXT:-demo/text.txt} models=${BANTAM_SHARED:-../shared}/ref/models
passed=0 failed=0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

check() {
    local what=$1
    shift
    if "$@" >"$tmp/out" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAIL $what: exit $?"
        tail -n 5 "$tmp/out"
    fi
}

# The mean KL divergence that Q4_K_M costs these models of random weights, and half as much again: a matrix that is transposed,
# permuted or scaled wrongly costs many times as much.
limit() {
    case $1 in
        bloom) echo 0.00006 ;;
        dbrx) echo 0.015 ;;
        falcon | gemma | gpt2 | starcoder | starcoder2) echo 0.0045 ;;
        gemma2) echo 0.08 ;;
        gemma3) echo 0.2 ;;
        grok1) echo 0.0055 ;;
        qwen3moe) echo 0.023 ;;
        mixtral) echo 0.015 ;;
        *) echo 0.014 ;;
    esac
}

head -c 5000 "$text" >"$tmp/text"
for dir in "$models"/*/; do
    name=$(basename "$dir")
    [ $# = 0 ] || [[ " $* " = *" $name "* ]] || continue
    [ -f "$dir/logits.json" ] || continue       # not a language model
    measure=(--against "$dir/hf" --text "$tmp/text" --context 64)
    check "$name to Q4_K_M" "$bantam" quantize "$dir/hf" -o "$tmp/q4.gguf" --type Q4_K_M --force
    check "$name Q4_K_M" "$bantam" verify "$tmp/q4.gguf" "${measure[@]}" --max-kld "$(limit "$name")" --max-ppl-ratio 1.03
    check "$name Q4_K_M --static" "$bantam" verify "$tmp/q4.gguf" --against "$dir/hf" --static
    check "$name to F32" "$bantam" convert "$dir/hf" -o "$tmp/f32.gguf" --type F32 --force
    check "$name F32" "$bantam" verify "$tmp/f32.gguf" "${measure[@]}" --max-kld 0 --min-top1 1
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
