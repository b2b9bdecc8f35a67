$bantam logits "$root/demo" --tokens 1,2,99999 -o l
