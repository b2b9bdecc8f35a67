# Killed with half a header written: nothing opens it, and the next 'metadata' puts the old header back.
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
cp d.gguf old.gguf
for point in undo:1 head:1; do
    { BANTAM_TEST_KILL=$point $bantam metadata set d.gguf general.name=str:Killed; } 2>/dev/null
    $bantam inspect d.gguf
    $bantam metadata list d.gguf general.name
    cmp d.gguf old.gguf && ls
done
$bantam metadata set d.gguf general.name=str:Lives -q && $bantam metadata list d.gguf general.name
printf 'half' >d.gguf.undo # interrupted before the file was touched
$bantam metadata list d.gguf general.name && ls
