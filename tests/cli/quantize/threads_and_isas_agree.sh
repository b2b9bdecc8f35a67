# Bytes depend on neither.
for isa in base avx2 avx512; do
    for threads in 1 2 3 7; do
        BANTAM_ISA=$isa $bantam quantize $root/demo -o x.gguf --type Q4_K_M --force -q -j $threads
        sha256sum <x.gguf
    done
done | uniq | wc -l
