# Six chunks of 256 run side by side in micro-batches of 6 x 85 tokens; the last has 6 x 1, which do not count. Seven: 73, ... and 37.
for n in 1 6 7; do
    $bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 256 --chunks $n -o m.gguf --force --process-output -q
    $bantam imatrix --show m.gguf | awk -v n=$n '/^(blk|output|token)/ { tokens[$2]++ } END { for (t in tokens) print n, "chunks:", tokens[t], "tensors with", t, "tokens" }'
done
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 256 --chunks 6 --min-tokens 1 -o m.gguf --force -q
$bantam imatrix --show m.gguf | awk '/^blk.0.attn_q/ { print "to reach experts:", $2 }'
