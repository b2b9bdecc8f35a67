# ulimit -f: status 4, the old file stays, nothing stays behind.
echo old >x.gguf
(ulimit -f 100; $bantam quantize $root/demo -o x.gguf --type Q8_0 --force)
echo "exit $?"
cat x.gguf
ls
