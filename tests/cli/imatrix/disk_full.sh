[ -w /dev/full ] || { echo 'skip: no /dev/full'; exit 77; }
cp "$root/demo/text.txt" t    # the name stands in the file, and so in its size
$bantam imatrix "$root/demo" --text t --context 64 --chunks 1 -o /dev/full --force
