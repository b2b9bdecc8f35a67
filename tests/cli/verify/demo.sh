# figures as ranges: they may differ in the last digits from one CPU to another
$bantam convert "$root/demo" -o q.gguf --type Q4_K_M -q
$bantam verify q.gguf --against "$root/demo" --text "$root/demo/text.txt" --context 128 --json >j || exit
value() { sed -n "s/.*\"$1\":[[:space:]]*\([-0-9.e+]*\).*/\1/p" j | sed -n 1,1p; }
awk -v ppl="$(value perplexity)" -v kld="$(value mean)" -v top="$(value top1_agreement)" -v ratio="$(value perplexity_ratio)" 'BEGIN {
    print (ppl > 5 && ppl < 100 ? "perplexity in range" : "perplexity " ppl), (kld > 0.001 && kld < 0.01 ? "kld in range" : "kld " kld),
          (top > 0.9 && top < 1 ? "agreement in range" : "agreement " top), (ratio > 0.98 && ratio < 1.03 ? "ratio in range" : "ratio " ratio) }'
grep -c cosine j
