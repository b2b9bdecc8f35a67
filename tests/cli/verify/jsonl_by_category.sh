# chunks never mix categories; a text without one is measured too
sed -n 's/"/\\"/g; /[a-z]/s/.*/{"text": "&", "category": "all lines"}/p' "$root/demo/text.txt" | sed 's/\\[^"\\]/ /g; 9,29s/, "category": "all lines"//' | gzip >t.gz
$bantam perplexity "$root/demo" --text t.gz --context 64 | sed -E 's/[0-9.]+ \+- [0-9.]+/N +- N/; s/^[^ ]*demo/demo/'
echo '{"text": 3}' >bad.jsonl
$bantam perplexity "$root/demo" --text bad.jsonl
