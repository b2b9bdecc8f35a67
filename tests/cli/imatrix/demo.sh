# figures as ranges: they may differ in the last digits from one CPU to another
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 128 -o m.gguf --json | grep -vE 'seconds|peak_bytes'
$bantam imatrix --show m.gguf >s
head -2 s
awk '/^blk/ { n++; tokens[$2]++; if ($4 <= 0 || $5 < 0 || $6 < $7 || $9 < 90 || $10 < 5) print "odd: " $0 }
     /^blk.0.attn_q/ { print ($4 > 160 && $4 < 175 ? "sum in range" : "sum " $4) }
     END { print n, "tensors"; for (t in tokens) print tokens[t], "with", t, "tokens" }' s
$bantam inspect m.gguf --json | grep -E '"(general|imatrix|bantam)\.'
ls
