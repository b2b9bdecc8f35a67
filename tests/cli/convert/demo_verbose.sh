# the account: every tensor and every key of the source, and where it went
$bantam convert "$root/demo" -o out.gguf --type BF16 --verbose | sed 's/done in [^;]*/done in T/'
