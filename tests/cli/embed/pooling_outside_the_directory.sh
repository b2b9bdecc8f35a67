cp -r "$root/tests/golden/encoder/mean" m
sed -i 's|"1_Pooling"|"../m/1_Pooling"|' m/modules.json
$bantam embed m --text "$root/tests/golden/encoder/texts.txt"
