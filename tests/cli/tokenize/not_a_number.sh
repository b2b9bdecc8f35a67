echo 1 two | $bantam detokenize "$root/demo"
