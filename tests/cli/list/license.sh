. "$root/tests/store_home.sh"
# the license is what inspect finds: a text beside the model, a tag that contradicts it, a changed text, a tag alone, nothing
hub=.cache/huggingface/hub commit=0123456789abcdef0123456789abcdef01234567
put() { mkdir -p $hub/models--org--$1/refs $hub/models--org--$1/snapshots && echo $commit >$hub/models--org--$1/refs/main && cp -r "$root/demo" $hub/models--org--$1/snapshots/$commit && cd $hub/models--org--$1/snapshots/$commit; }
(put text && rm README.md)
(put conflict && printf -- '---\nlicense: mit\n---\n' >README.md)
(put altered && rm README.md && sed -i 's/^.*Grant of Patent License.*$/2. No patents./' LICENSE && printf 'You may not use it on Mondays, nor in any way that the author dislikes.\n' >>LICENSE)
(put tag && rm LICENSE)
(put unknown_tag && rm LICENSE && printf -- '---\nlicense: house-rules\n---\n' >README.md)
(put none && rm LICENSE README.md)
$bantam list hf | grep '^hf:' | sed 's/  .*  / /'
$bantam list hf --json | grep license
