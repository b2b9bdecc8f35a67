echo 99999 | $bantam detokenize "$root/demo"
