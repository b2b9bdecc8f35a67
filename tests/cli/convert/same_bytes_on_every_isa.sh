for isa in base avx2 avx512; do
    for type in Q4_K_M Q2_K Q6_K Q5_0 Q8_0 F16; do
        BANTAM_ISA=$isa $bantam quantize "$root/demo" -o $isa.$type.gguf --type $type -q || exit
        cmp base.$type.gguf $isa.$type.gguf || exit
    done
done
echo same
