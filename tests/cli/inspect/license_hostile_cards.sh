# Malformed, bottomless and endless front matter is evidence that could not be read, in a moment.
mkdir m && cp "$root"/demo/* m && rm m/LICENSE
try() { timeout 20 "$bantam" inspect m --license | sed -n 2,4p; }
printf -- '---\nlicense: mit\nauthor: J\366rg\n---\n' > m/README.md; try
{ printf -- '---\nlicense: mit\na: '; head -c 900000 /dev/zero | tr '\0' '['; printf '\n---\n'; } > m/README.md; try
{ printf -- '---\nlicense: mit\na: |\n'; head -c 3000000 /dev/zero | tr '\0' ' '; } > m/README.md; try
{ printf '\357\273\277---\r\nlicense: apache-2.0\r\n---\r\n'; yes 'lorem ipsum' | head -c 10000000; } > m/README.md; try
