# No key, no card, no file: not determined, which is all that is said.
mkdir m && cp "$root"/demo/* m && rm m/README.md m/LICENSE
"$bantam" inspect m --license
