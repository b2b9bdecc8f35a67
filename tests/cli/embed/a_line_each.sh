# Numbers differ in the last digit from one CPU to another: only their count, and that vectors have the length 1.
$bantam embed "$root/tests/golden/encoder/mean" --text "$root/tests/golden/encoder/texts.txt" |
    awk '{ s = 0; for (i = 1; i <= NF; i++) s += $i * $i; printf "%d numbers, length %.4f\n", NF, sqrt(s) }'
