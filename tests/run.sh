#!/usr/bin/env bash
# All tests, or those whose name contains the argument:  make test T=inspect.  BLESS=1 rewrites the expected outputs.
# Variables from the Makefile: BUILD (objects), BANTAM (the program), SAN (sanitizers, if any).
#
# tests/cli/COMMAND/CASE.sh runs in an empty directory of its own with $bantam, $root (the tree) and $shared (reference
# data, or empty). Beside it: CASE.out, CASE.err, CASE.exit, compared exactly (absent: empty, 0); the tree's own path is
# written ROOT in them. A case that prints a line 'skip: WHY' and exits 77 was not run.
set -u
cd "$(dirname "$0")/.." || exit 2
root=$PWD match=${1:-} passed=0 failed=0 skipped=0
BUILD=${BUILD:-build/gcc}
bantam=$root/${BANTAM:-bantam}
shared=${BANTAM_SHARED:-$root/../shared}
[ -d "$shared/ref" ] || shared=
export root bantam shared LC_ALL=C.UTF-8 BANTAM_SHARED=$shared OMP_WAIT_POLICY=passive BANTAM_GOLDEN=$root/tests/golden
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HF_HOME=$work/no-cache         # what lies in the cache of whoever runs the tests changes nothing
unset HF_HUB_CACHE

# A test program that closes with 'NAME: N passed, N failed[, N skipped]'.
program() {
    local name=$1 line
    shift
    "$@" >"$work/$name.log" 2>&1
    local status=$?
    line=$(tail -n 1 "$work/$name.log")
    if [[ $line =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)? ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2])) skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        grep -v ' passed, ' "$work/$name.log"
    else
        cat "$work/$name.log"
        failed=$((failed + 1))
        echo "FAIL $name: exit $status without a closing line"
    fi
}

same() { # CASE SUFFIX ACTUAL: exactly the expected file, or empty
    local want=$1.$2
    if [ -n "${BLESS:-}" ]; then
        if [ -s "$3" ]; then cp "$3" "$want"; else rm -f "$want"; fi
        return 0
    fi
    [ -e "$want" ] || want=/dev/null
    diff -u "$want" "$3" >"$work/diff" && return 0
    sed "s|^|  |" "$work/diff" | head -40
    return 1
}

cli() {
    local case=$1 base=${1%.sh} name ok=yes
    name=${base#tests/}
    rm -rf "$work/dir"
    mkdir "$work/dir"
    (cd "$work/dir" && timeout 120 bash "$root/$case" >"$work/out" 2>"$work/err" </dev/null)
    local status=$?
    if [ $status = 77 ]; then
        skipped=$((skipped + 1))
        echo "skip $name: $(sed -n 's/^skip: //p' "$work/out")"
        return
    fi
    if [ $status = 0 ]; then : >"$work/exit"; else echo $status >"$work/exit"; fi
    sed -i "s|$root|ROOT|g" "$work/out" "$work/err"
    same "$base" exit "$work/exit" || ok=no
    same "$base" out "$work/out" || ok=no
    same "$base" err "$work/err" || ok=no
    if [ $ok = yes ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $name"; fi
}

[[ kernels = *"$match"* ]] && program kernels "$BUILD/kernels"
program unit "$BUILD/unit" "$match"
for replay in "$BUILD"/fuzz/*; do
    [[ -x $replay && -f $replay ]] || continue
    name=fuzz-$(basename "$replay")
    case $name in *"$match"*) program "$name" "$replay" tests/golden tests/bad ;; esac
done
for case in tests/cli/*/*.sh; do
    case $case in *"$match"*) cli "$case" ;; esac
done
echo "$passed passed, $failed failed, $skipped skipped"
[ $failed = 0 ]
