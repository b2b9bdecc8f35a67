# An existing OUT is refused, and replaced only with --force.
echo old >x.gguf
$bantam quantize $root/demo -o x.gguf --type Q8_0 -q
echo "exit $?"
cat x.gguf
$bantam quantize $root/demo -o x.gguf --type Q8_0 -q --force && head -c 4 x.gguf && echo && ls
