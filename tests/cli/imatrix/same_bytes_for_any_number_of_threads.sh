for n in 1 2 5; do
    $bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 --chunks 5 -o $n -q -j $n || exit
    cmp 1 $n || exit
done
echo same
