e=$root/tests/golden/encoder
$bantam quantize "$e/mean" -o q.gguf --type Q8_0 -q
$bantam verify q.gguf "$e/mean.gguf" --against "$e/mean" --text "$e/texts.txt" -q --min-cosine 0.9 --min-rank-correlation 0.5 && echo enough
$bantam verify q.gguf --against "$e/mean" --text "$e/texts.txt" -q --min-cosine 2 2>&1 | sed 's/is [0-9.]*/is N/'
$bantam verify q.gguf --against "$e/mean" --text "$e/texts.txt" -q --max-kld 1
