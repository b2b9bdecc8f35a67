$bantam embed "$root/tests/golden/encoder/mean" --text "$root/tests/golden/encoder/texts.txt" --context 25
