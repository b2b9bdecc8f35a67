# Eight weights in a word count as eight.
"$bantam" inspect "$root/tests/golden/fp8/gptq" | grep weights
"$bantam" inspect "$root/tests/golden/fp8/gptq.gguf" | grep weights
