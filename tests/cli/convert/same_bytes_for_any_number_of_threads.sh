for n in 1 2 3 7; do $bantam convert "$root/demo" -o $n.gguf --type Q4_K_M -q -j $n || exit; done
for n in 2 3 7; do cmp 1.gguf $n.gguf || exit; done
echo same
