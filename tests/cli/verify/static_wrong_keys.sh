# a wrong rope base is damage, another name is not; --ignore-key says that a difference is meant
$bantam convert "$root/demo" -o k.gguf --type Q8_0 --metadata llama.rope.freq_base=f32:500000 --metadata "general.name=str:Other" -q
$bantam verify k.gguf --against "$root/demo" --static | sed '$d'
$bantam verify k.gguf --against "$root/demo" --static --json | grep -E '"(verdict|key|expected|found|damage)":'
$bantam verify k.gguf --against "$root/demo" --static --ignore-key llama.rope.freq_base | sed -n 2p
$bantam verify k.gguf --against "$root/demo" --static -q 2>&-; echo "exit $?"
