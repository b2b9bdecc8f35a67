e=$root/tests/golden/encoder
$bantam embed "$e/mean" --text "$e/texts.txt" -o v.npy --json
$bantam embed "$e/mean" --text "$e/texts.txt" -o v.f32
$bantam embed "$e/mean" --text "$e/texts.txt" -o v.txt
head -c 128 v.npy | tail -c 118
tail -c +129 v.npy | cmp - v.f32 && wc -c <v.f32
wc -l <v.txt
