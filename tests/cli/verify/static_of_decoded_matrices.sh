# FP8 in the source, floats in the directory: the source is decoded as convert does it
for type in BF16 F32; do
    $bantam convert "$root/tests/golden/fp8/block" -o $type --type $type -q
    $bantam verify $type --against "$root/tests/golden/fp8/block" --static | sed -n 2,4p
done
$bantam convert "$root/tests/golden/fp8/block" -o same -q
$bantam verify same --against "$root/tests/golden/fp8/block" --static | sed -n 2,4p
$bantam verify BF16 --against "$root/tests/golden/fp8/channel" --static -q; echo "exit $?"
