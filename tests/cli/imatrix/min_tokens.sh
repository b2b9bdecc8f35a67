# as many rounds as it takes, and the text's end where there is no more
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 2 --min-tokens 100 -o a --json | grep -E '"(chunks|starved)"'
$bantam imatrix "$root/demo" --text "$root/demo/text.txt" --context 64 --chunks 2 --min-tokens 1000000 -o b --json | grep -E '"(chunks|starved)"'
$bantam inspect b --json | grep -A 3 '"bantam'
