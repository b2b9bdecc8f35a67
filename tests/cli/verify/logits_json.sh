$bantam logits "$root/demo" --tokens 1,2,3 -o l.bin --json && wc -c <l.bin
