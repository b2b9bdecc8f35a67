# The same bytes every time, and every file by the hash that sha256sum gives it; the validators of PyPI run in tests/bom.sh.
cp -r "$root/demo" .
export SOURCE_DATE_EPOCH=1700000000
for kind in cyclonedx spdx; do
    $bantam inspect demo --bom $kind >$kind.json
    $bantam inspect demo --bom $kind -j 1 | cmp - $kind.json && echo "$kind: same"
    for file in demo/*; do
        grep -q "$(sha256sum "$file" | cut -c1-64)" $kind.json || echo "no hash of $file"
    done
done
grep -c '"timestamp":.*2023-11-14T22:13:20Z' cyclonedx.json
grep -A2 '"acknowledgement"\|"id"' cyclonedx.json | grep '"id"\|acknowledgement'
grep 'relationshipType' spdx.json | sort | uniq -c
$bantam inspect demo --bom word
