#!/usr/bin/env bash
# What the compiler does not say: folder order, symbols of kernel files, tool findings. Closes with 'lint: N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build/gcc}
passed=0 failed=0
verdict() { # NAME, findings on stdin
    local found
    found=$(cat)
    if [ -z "$found" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $1"; echo "$found" | head -40; fi
}

# A folder includes only from itself and from those before it.
order=(quant formats tokenizer convert verify tools)
for i in "${!order[@]}"; do
    later=$(IFS='|'; echo "${order[*]:i+1}")
    [ -n "$later" ] && grep -rnE "#include \"($later)/" "${order[i]}" | verdict "include order of ${order[i]}"
done

# Only tools prints, and only the arena may end the program.
grep -nE '\b(printf|puts|putchar|fputs|perror)\(|[^a-z_]exit\(|abort\(' -r quant formats tokenizer convert verify |
    grep -vE 'snprintf|formats/arena\.c' | verdict "only tools prints"
grep -nE '\b(strcpy|strcat|sprintf|gets|atoi|atol|atof|strtok|alloca)\(' -r quant formats tokenizer convert verify tools |
    verdict "banned calls"

# A kernel file exports its descriptor and nothing else.
for object in "$BUILD"/*/quant/types/*.o; do
    [ -e "$object" ] || continue
    name=$(basename "$object" .o)_$(basename "$(dirname "$(dirname "$(dirname "$object")")")")
    nm -g --defined-only "$object" | awk -v want="$name" '$3 != want { print FILENAME, $3 }' FILENAME="$object"
done | verdict "symbols of kernel files"

# What git tracks and what the tools find.
git ls-files -z 2>/dev/null | xargs -0 -r grep -nIE '\b(TODO|FIXME|XXX)\b' -- 2>/dev/null | grep -vE 'tests/lint.sh|LICENSE' | verdict "unfinished words"
shellcheck -x tests/*.sh tests/bench/*.sh .ci/run 2>&1 | verdict shellcheck
mapfile -t sources < <(ls quant/*.c formats/*.c tokenizer/*.c convert/*.c convert/arch/*.c verify/*.c tools/*.c)
mapfile -t kernels < <(ls quant/types/*.c)
flags=(-std=c11 -D_GNU_SOURCE -I. -DISA=base '-DBANTAM_VERSION="lint"' -fopenmp)
mapfile -t includes < <(pkg-config --cflags libcjson libxxhash libpcre2-8 libutf8proc openblas zlib yaml-0.1 2>/dev/null | tr ' ' '\n' | grep .)
cppcheck -q -j2 --std=c11 --inline-suppr --enable=warning,performance,portability --error-exitcode=0 \
    --suppressions-list=tests/cppcheck.txt -I. -DISA=base '-DBANTAM_VERSION="lint"' "${sources[@]}" "${kernels[@]}" 2>&1 | verdict cppcheck
printf '%s\n' "${sources[@]}" | xargs -P2 -n6 -I{} clang-tidy --quiet {} -- "${flags[@]}" "${includes[@]}" 2>/dev/null |
    grep -E 'warning:|error:' | verdict clang-tidy
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
