# config.json with its weights goes before params.json with the same under other names, and the report says so.
cp -r "$root/demo" both && cp "$root"/tests/golden/native/words/* both/
$bantam convert both -o both.gguf | grep left
$bantam inspect both | grep -E 'left|weights'
rm both/config.json
$bantam inspect both | grep -E 'left|weights'
