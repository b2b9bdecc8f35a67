# No space left: status 4, and nothing stays behind.
$bantam quantize $root/demo -o /dev/full --type Q8_0
echo "exit $?"
ls /dev/full.part* 2>/dev/null | wc -l
