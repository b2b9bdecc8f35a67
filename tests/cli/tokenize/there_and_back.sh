$bantam tokenize "$root/demo" --no-special <"$root/demo/text.txt" | $bantam detokenize "$root/demo" | cmp - "$root/demo/text.txt" && echo same
