$bantam embed "$root/tests/golden/encoder/cls.gguf" --text "$root/tests/golden/encoder/texts.txt" --json --chunks 2 | sed 's/\[\[.*\]\]/[...]/'
