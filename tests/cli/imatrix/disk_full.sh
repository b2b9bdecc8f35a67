[ -w /dev/full ] || { echo 'skip: no /dev/full'; exit 77; }
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 1 -o /dev/full --force
