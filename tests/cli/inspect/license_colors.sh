# Colors only on a terminal, and none with NO_COLOR; never wider than 80 columns.
command -v script > /dev/null || { echo "skip: script(1) is not there"; exit 77; }
mkdir m && cp "$root"/demo/* m && printf -- '---\nlicense: mit\nbase_model: 组织/模型名字很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长很长\n---\n' > m/README.md
seen() { env "$@" script -qec "$bantam inspect m --license" /dev/null | grep -c $'\033'; }
seen NO_COLOR=; seen NO_COLOR=1; "$bantam" inspect m --license | grep -c $'\033'
"$bantam" inspect m --license | sed -n '/base models/,/^$/p'
