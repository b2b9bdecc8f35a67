cp "$root/demo/text.txt" t
$bantam imatrix "$root/demo" --text t --context 64 --chunks 1 -o t --force
status=$?
cmp t "$root/demo/text.txt" && exit $status
