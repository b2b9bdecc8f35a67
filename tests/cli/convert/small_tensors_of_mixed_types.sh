# Types lie apart in a safetensors file, so tensors that follow each other in the model have others between them there: they stay whole.
$bantam convert "$root/tests/golden/fp8/experts" -o copy -q
$bantam verify copy --against "$root/tests/golden/fp8/experts" --static | sed -n 2,4p
