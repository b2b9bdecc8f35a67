#!/usr/bin/env bash
# What the compiler does not say: folder order, symbols of kernel files, tool findings. Closes with 'lint: N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 2
BUILD=${BUILD:-build/gcc}
passed=0 failed=0
verdict() { # NAME COMMAND...: whatever it prints is a finding
    local name=$1 found
    shift
    found=$("$@")
    set -- "$name"
    if [ -z "$found" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $1"; echo "$found" | head -40; fi
}

# A folder includes only from itself and from those before it.
includes_later() { [ -z "$2" ] || grep -rnE "#include \"($2)/" "$1"; }
order=(quant formats tokenizer convert verify tools)
for i in "${!order[@]}"; do
    verdict "include order of ${order[i]}" includes_later "${order[i]}" "$(IFS='|'; echo "${order[*]:i+1}")"
done

# Only tools prints, and only the arena may end the program.
prints() {
    grep -nE '\b(printf|puts|putchar|fputs|perror)\(|[^a-z_]exit\(|abort\(' -r quant formats tokenizer convert verify |
        grep -vE 'snprintf|formats/arena\.c|verify/builtin\.c'
}
verdict "only tools prints" prints
verdict "banned calls" grep -nE '\b(strcpy|strcat|sprintf|gets|atoi|atol|atof|strtok|alloca)\(' -r "${order[@]}"

# A kernel file exports its descriptor and nothing else.
kernel_symbols() {
    local object name
    for object in "$BUILD"/*/quant/types/*.o; do
        name=$(basename "$object" .o)_$(basename "${object%/quant/types/*}")
        nm -g --defined-only "$object" | awk -v want="$name" -v object="$object" '$3 != want { print object, $3 }'
    done
}
verdict "symbols of kernel files" kernel_symbols

unfinished() { git ls-files -z | xargs -0 grep -nIE '\b(TODO|FIXME|XXX)\b' -- | grep -vE 'tests/lint.sh|LICENSE'; }
verdict "unfinished words" unfinished
verdict shellcheck shellcheck -x tests/*.sh tests/bench/*.sh .ci/run

# The tools' findings; tests/cppcheck.txt says which of cppcheck's are wrong, and why.
mapfile -t sources < <(ls quant/*.c formats/*.c tokenizer/*.c convert/*.c convert/arch/*.c verify/*.c tools/*.c)
mapfile -t kernels < <(ls quant/types/*.c)
flags=(-I. -DISA=base '-DBANTAM_VERSION="lint"')
mapfile -t libraries < <(pkg-config --cflags libcjson libxxhash libpcre2-8 libutf8proc zlib yaml-0.1 | tr ' ' '\n' | grep .)
cpp() {
    cppcheck -q -j2 --std=c11 --inline-suppr --enable=warning,performance,portability --suppressions-list=tests/cppcheck.txt \
        "${flags[@]}" "-DcJSON_ArrayForEach(e,a)=while((e=(a)))" "$@" 2>&1
}
verdict cppcheck cpp "${sources[@]}" "${kernels[@]}"
tidy() { clang-tidy --quiet "$@" -- -std=c11 -D_GNU_SOURCE -fopenmp "${flags[@]}" "${libraries[@]}" 2>/dev/null | grep -E 'warning:|error:'; }
both() {
    local half=$((${#sources[@]} / 2))
    tidy "${sources[@]:0:half}" &
    tidy "${sources[@]:half}"
    wait
}
verdict clang-tidy both
echo "lint: $passed passed, $failed failed"
[ $failed = 0 ]
