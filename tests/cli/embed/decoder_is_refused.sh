$bantam embed "$root/demo" --text "$root/tests/golden/encoder/texts.txt"
