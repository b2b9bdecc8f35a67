$bantam logits "$root/tests/golden/encoder/mean" --tokens 2,5,3 -o l.f32
