# The card says one thing, the text another: that is the finding, and it comes first.
mkdir m && cp "$root"/demo/* m
printf -- '---\nlicense: mit\nbase_model: meta-llama/Llama-3.1-8B\n---\n# A model\n' > m/README.md
"$bantam" inspect m --license
"$bantam" inspect m --json | grep -A 12 '"license":'
