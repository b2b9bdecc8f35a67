# an option that would be ignored is refused
no() { $bantam "$@" 2>&1; echo "exit $?"; }
no convert "$root/demo" -o dir --metadata general.name=str:x
no convert "$root/demo" -o dir --type F16 --tensor-type 'ffn=F32'
no quantize "$root/demo" -o dir --bpw 4
no convert "$root/demo" -o x.gguf --no-provenance
no verify x.gguf --against "$root/demo" --static --chunks 3
no imatrix a.gguf b.gguf --merge -o c.gguf --text t
ls
