# MMLU's files and JSONL: the keys of the contract, both rules by name, and a letter that every model gives when nothing was lost
$bantam convert "$root/demo" -o q.gguf --type Q2_K -q || exit
ask() { $bantam verify "$1" --against "$root/demo" --text "$root/demo/text.txt" --context 128 --choices "$root/tests/golden/choices/$2" "${@:3}"; }
ask q.gguf data --json >j || exit
tr -d '[:space:]' <j | grep -oE '"choices":\{"questions":7,"left_out":0,"shots":5,"tokens":[0-9]+,"tokens_one_by_one":[0-9]+,"rule":"letter","original_accuracy":[0-9.]+,"candidate_accuracy":[0-9.]+,"agreement":[0-9.]+,"rules"' | sed 's/:[0-9.]*,/:N,/g'
grep -E '"name":.*"(letter|option_per_byte)"' j
grep -c '"left_out":	false' j
ask "$root/demo" mixed.jsonl --shots 0 --min-choices-agreement 1 | sed -n '/questions/,$p' | sed 's/[0-9.]* %/N %/g; s/([ 0-9.-]*)/(N)/g; /memory/d'
ask "$root/demo" data --shots 2
ask "$root/demo" none
$bantam verify q.gguf --against "$root/demo" --text x --shots 2
