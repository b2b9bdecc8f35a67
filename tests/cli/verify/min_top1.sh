$bantam convert "$root/demo" -o q.gguf --type Q2_K -q
$bantam verify q.gguf --against "$root/demo" --text "$root/demo/text.txt" --context 128 --min-top1 0.999 -q 2>err
status=$?
sed 's/is [0-9.e-]*,/is X,/' err >&2
exit $status
