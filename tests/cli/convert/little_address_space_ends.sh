[ -z "${SAN:-}" ] || { echo "skip: sanitizers reserve more"; exit 77; }
ldd "$bantam" | grep -q libomp && { echo "skip: LLVM's OpenMP aborts when it gets no memory"; exit 77; }
# a library's threads waited for memory for ever, and exit() for them; 124 is timeout's word for that
for kbytes in 80000 100000 140000 200000; do
    (ulimit -v $kbytes; timeout -s KILL 10 $bantam convert "$root/demo" -o $kbytes.gguf --type Q8_0 -q 2>/dev/null)
    case $? in 0 | 4 | 127) ;; *) echo "ulimit -v $kbytes: exit $?" ;; esac
done
