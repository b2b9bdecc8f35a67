# The second would take up and replace the first one's state.
command -v flock >/dev/null || { echo 'skip: no flock'; exit 77; }
flock m.part $bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 1 -o m -q
echo $?
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 1 -o m -q && ls
