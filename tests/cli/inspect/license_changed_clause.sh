# One clause of the text is changed: not that license any more, and the place is shown. Reflowed and with typographic quotes it is.
mkdir m && cp "$root"/demo/* m && rm m/README.md
sed 's/hereby grants to You a perpetual,/hereby denies to You a perpetual,/' "$root"/demo/LICENSE > m/LICENSE
"$bantam" inspect m --license | sed '/^  terms/,$d'
{ printf '\357\273\277'; tr '\n' ' ' < "$root"/demo/LICENSE | sed "s/\"/”/g; s/'/’/g; s/  */ /g" | fold -s -w 50; } > m/LICENSE
"$bantam" inspect m --license | sed '/^  terms/,$d'
