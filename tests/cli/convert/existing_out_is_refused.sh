echo precious >out.gguf
$bantam convert "$root/demo" -o out.gguf
status=$?
cat out.gguf
exit $status
