# Killed between two renames: the same command finishes what is left.
$bantam quantize $root/demo -o whole.gguf --type Q8_0 --split-size 2M -q
for point in commit:1 rename:1 rename:1 done:1; do
    BANTAM_TEST_KILL=$point $bantam quantize $root/demo -o killed.gguf --type Q8_0 --split-size 2M -q 2>/dev/null
    echo "$point: exit $?, $(ls killed* | tr '\n' ' ')"
done 2>/dev/null
$bantam quantize $root/demo -o killed.gguf --type Q8_0 --split-size 2M -q || exit
for part in whole-*; do cmp $part killed${part#whole} || exit; done
ls
