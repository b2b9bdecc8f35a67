# A .part that no journal speaks of is not ours to overwrite.
echo 'a download' >x.gguf.part
$bantam quantize $root/demo -o x.gguf --type Q8_0
echo "exit $?"
cat x.gguf.part
ls
