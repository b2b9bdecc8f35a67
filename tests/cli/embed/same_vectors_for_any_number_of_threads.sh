e=$root/tests/golden/encoder
for j in 1 2 3; do $bantam embed "$e/classifier" --text "$e/texts.txt" -j $j -o v$j.f32; done
cmp v1.f32 v2.f32 && cmp v2.f32 v3.f32 && echo same
