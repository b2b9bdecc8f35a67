try() { "$@"; echo "exit $?"; }
m=$root/demo
t=$root/demo/text.txt
try $bantam imatrix "$m" -o x
try $bantam imatrix "$m" --text "$t"
touch there
try $bantam imatrix "$m" --text "$t" -o there
try $bantam imatrix "$m" "$m" --text "$t" -o x
try $bantam imatrix --merge --show x
try $bantam imatrix --show a b
try $bantam imatrix --merge missing -o x
$bantam convert "$m" -o model.gguf -q
try $bantam imatrix --show model.gguf
try $bantam imatrix --merge "$m/text.txt" -o x
echo mine >x.part.journal
try $bantam imatrix "$m" --text "$t" -o x --context 64
rm x.part.journal
echo short >short
try $bantam imatrix "$m" --text short -o x
try $bantam imatrix "$m" --text "$t" -o /nowhere/x --context 64 --chunks 1
ls
