# each is measured as if it were alone (with --exact: otherwise products follow the widest candidate); every one meets the thresholds
for t in Q8_0 Q3_K_M; do $bantam convert "$root/demo" -o $t.gguf --type $t -q || exit; done
run() { $bantam verify "$@" --against "$root/demo" --text "$root/demo/text.txt" --context 128 --exact; }
keep() { tr -d '[:space:]' | sed 's/"seconds":.*//'; }
run Q8_0.gguf Q3_K_M.gguf --json >both || exit
run Q8_0.gguf --json | keep >one
run Q3_K_M.gguf --json | keep | grep -o '"candidate":{"perplexity":.*' | sed 's/,$//' >two
keep <both >all
grep -qF "$(cat one)" all && echo the first at the top
grep -qF "{\"file\":\"Q3_K_M.gguf\",$(cat two)}" all && echo the second in the list
grep -o '"file":"[^"]*"' all
run Q8_0.gguf Q3_K_M.gguf --max-kld 0.001 -q 2>err
echo "status $?"
sed 's/is [0-9.e-]*,/is X,/' err
run Q8_0.gguf Q3_K_M.gguf | grep -cE '^  Q[38].*%$'
