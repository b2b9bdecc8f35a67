$bantam convert "$root/demo" -o f32.gguf --type F32 -q
$bantam verify f32.gguf --against "$root/demo" --text "$root/demo/text.txt" --context 128 --json | grep -E '"(mean|max|p99|top1_agreement|rms_delta_p|perplexity_ratio)"'
