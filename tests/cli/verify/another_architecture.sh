# models of equal sizes and other layers are not compared
[ -n "$shared" ] || { echo "skip: reference data is elsewhere"; exit 77; }
$bantam verify "$shared/ref/models/qwen3/hf" --against "$shared/ref/models/qwen2/hf" --context 64 --chunks 2 2>&1 | sed "s|$shared|SHARED|"
