# Scales are gone, and so is what config.json says of them.
"$bantam" convert "$root/tests/golden/fp8/block" -o out --type BF16 | sed 's|done in [^;]*|done in T|'
"$bantam" inspect out --tensors --hashes | grep '[qv]_proj'
grep -c quantization out/config.json
"$bantam" verify out --against "$root/tests/golden/fp8/block" --static | sed -n '2,5p'
