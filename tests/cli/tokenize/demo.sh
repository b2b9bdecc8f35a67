printf 'Hello, world. C<print> "x";\n' | $bantam tokenize "$root/demo"
printf 'Hello, world. C<print> "x";\n' | $bantam tokenize "$root/demo" --no-special --json
