cp -r "$root/demo" demo && chmod -R u+w demo && $bantam convert demo -o a.gguf -q && ln -s a.gguf link.gguf && ln a.gguf hard.gguf
sum() { cat demo/* a.gguf | cksum; }
before=$(sum)
try() { $bantam "$@" --force -q; echo $?; }
for out in a.gguf ./a.gguf link.gguf hard.gguf; do try quantize a.gguf -o $out --type Q4_0; done
try quantize link.gguf -o a.gguf --type Q4_0
try logits a.gguf --tokens 1 -o a.gguf
for out in demo demo/. demo/config.json demo/model.safetensors demo/tokenizer.model; do try convert demo -o $out --type F16; done
for out in demo/config.json demo/model.safetensors; do try convert demo -o $out --to gguf; done
[ "$before" = "$(sum)" ] && ls
$bantam convert demo -o demo/new.gguf -q && $bantam convert demo -o demo/new.gguf -q --force && echo beside it is fine
