touch v.npy
$bantam embed "$root/tests/golden/encoder/mean" --text "$root/tests/golden/encoder/texts.txt" -o v.npy
