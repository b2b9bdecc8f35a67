e=$root/tests/golden/encoder
$bantam verify "$root/demo" --against "$e/mean" --text "$e/texts.txt"
