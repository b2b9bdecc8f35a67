# Killed at many points, one after another, then left in peace: the bytes of an undisturbed run, and nothing beside them.
$bantam quantize $root/demo -o whole.gguf --type Q4_K_M -q
for point in plan:1 chunk:1 journal:2 record:3 record:2 head:1 commit:1 rename:1; do
    BANTAM_TEST_KILL=$point $bantam quantize $root/demo -o killed.gguf --type Q4_K_M -q 2>/dev/null
    echo "$point: exit $?, $(ls killed* | tr '\n' ' ')"
done 2>/dev/null
$bantam quantize $root/demo -o killed.gguf --type Q4_K_M -q && cmp whole.gguf killed.gguf && ls
