$bantam convert "$root/demo" -o d.gguf -q
$bantam tokenize d.gguf <"$root/demo/text.txt" >a; $bantam tokenize "$root/demo" <"$root/demo/text.txt" >b
cmp a b && wc -w <a
