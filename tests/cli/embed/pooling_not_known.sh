cp -r "$root/tests/golden/encoder/mean" m
echo '{"pooling_mode_max_tokens": true}' >m/1_Pooling/config.json
$bantam embed m --text "$root/tests/golden/encoder/texts.txt"
