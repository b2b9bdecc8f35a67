cp -r "$root/demo" demo && chmod -R u+w demo
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 29494\n' >demo/tokenizer.model
$bantam convert demo -o out.gguf
status=$?
cp "$root/demo/tokenizer.model" demo
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 400\n' >demo/config.json
$bantam convert demo -o out.gguf
exit $status
