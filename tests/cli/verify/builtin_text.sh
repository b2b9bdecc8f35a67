# without --text: figures by category of a small text, and of how sure the original was; a model against itself loses nothing anywhere
$bantam verify "$root/demo" --against "$root/demo" --json >j || exit
tr -d '[:space:]' <j | grep -oE '"name":"[^"]*","tokens":[0-9]*,"original":\{"perplexity":[0-9.]*' | sed -E 's/[0-9.]+$/N/'
grep -cE '"top1_agreement":	1,' j
$bantam perplexity "$root/demo" | sed -E 's/[0-9.]+ \+- [0-9.]+/N +- N/; s|ROOT||'
