# Front matter as it is met: what each comes to, in the first two lines of the answer.
mkdir m && cp "$root"/demo/* m && rm m/LICENSE
try() { printf -- '---\n%b---\n' "$1" > m/README.md; echo "== $1"; "$bantam" inspect m --license | sed -n '/^  license/,/^  to do/p' | sed '$d'; }
try 'license: other\nlicense_name: tongyi-qianwen\nlicense_link: LICENSE\n'
try 'license: other\nlicense_link: https://mistral.ai/licenses/MRL-0.1.md\n'
try 'license: LLAMA3.3\nlicense_link: https://x.y/z\n'
try 'license:\n- apache-2.0\n- cc-by-nc-4.0\n'
try 'license: Apache-2.0 OR MIT\n'
try 'license: other\nlicense_name: modified-mit\n'
try 'license: other\nlicense_name: nvidia-license\n'
try 'license: openrail\n'
try 'license: grok2-community\n'
try 'license: apple-amlr\n'
try 'license: gemma\nextra_gated_eu_disallowed: true\n'
try 'license: bespoke-1.0\n'
try 'license: bsd\n'
try 'license: cc-by-nc-sa-3.0\n'
try 'license: null\n'
try 'license: {a: b}\n'
"$bantam" inspect m --json > /dev/null
printf -- '---\nlicense: other\nlicense_name: qwen\nlicense_link: https://x.y\n---\n' > m/README.md
"$bantam" inspect m --json | grep '"declared"\|"spdx"\|"verdict"'
