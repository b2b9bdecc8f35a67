# A page per command, the overview names them all, and groff (where it is) has nothing to complain of.
$bantam help man | grep -c '^.BR bantam'
for c in $(sed -n 's/^ROW(\(.*\))$/\1/p' "$root/tools/commands.def"); do
    $bantam help man "$c" >page || echo "no page of $c"
    grep -q '^.SH OPTIONS' page || echo "$c has no options"
    if command -v groff >/dev/null; then groff -man -Tascii -ww page 2>&1 >/dev/null | grep -v 'cannot adjust\|can.t break'; fi
done
$bantam help man nothing
