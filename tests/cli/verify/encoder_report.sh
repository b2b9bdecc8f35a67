# the page of encoders: it stands alone, an old one stays, with a fixed date the same run gives the same bytes, and it has what --json prints
export SOURCE_DATE_EPOCH=1700000000
e=$root/tests/golden/encoder
$bantam quantize "$e/mean" -o '<b>q.gguf' --type Q8_0 -q
run() { $bantam verify '<b>q.gguf' "$e/mean.gguf" --against "$e/mean" --text "$e/texts.txt" --report r.html "$@"; }
run -q; echo "exit $?"
cp r.html first.html
run -q -j 1; echo "exit $?"
run -q -j 1 --force && cmp <(sed 's/ -j 1 --force//' r.html) first.html && echo same
grep -ciE '<script|<img|https?:|<b>' r.html
grep -oE '&lt;b&gt;q.gguf, beside the original: [a-z ]*' r.html | sort -u
grep -oE '<h2[^>]*>[^<]*' r.html
run -q --force --json | grep -E '"(mean|rank_correlation|p10)"' >j
sed -n 's/&quot;/"/g;/"mean"/p;/"rank_correlation"/p;/"p10"/p' r.html | cmp - j && echo the same figures
