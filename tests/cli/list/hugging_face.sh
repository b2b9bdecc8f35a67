. "$root/tests/store_home.sh"
# The cache as huggingface_hub lays it out: links into blobs/, refs/main, a second revision, a GGUF repository, a broken link.
hub=.cache/huggingface/hub commit=0123456789abcdef0123456789abcdef01234567 other=89abcdef0123456789abcdef0123456789abcdef
repo=$hub/models--org--Name--with--dashes
mkdir -p $repo/blobs $repo/refs $repo/snapshots/$commit $repo/snapshots/$other $hub/datasets--a--b/snapshots
printf %s $commit >$repo/refs/main
i=0
for file in "$root"/demo/*; do
    i=$((i + 1))
    cp "$file" $repo/blobs/$(printf %040d $i)
    ln -s ../../blobs/$(printf %040d $i) $repo/snapshots/$commit/$(basename "$file")
done
ln -s ../../blobs/none $repo/snapshots/$other/model.safetensors
$bantam convert hf:org/Name--with--dashes -o q8.gguf --type Q8_0 -q && echo converted
gg=$hub/models--org--gguf/snapshots/$commit
mkdir -p $gg/sub $hub/models--org--gguf/blobs $hub/models--org--gguf/refs
echo $commit >$hub/models--org--gguf/refs/main
hash=$(sha256sum q8.gguf | cut -c1-64)
cp q8.gguf $hub/models--org--gguf/blobs/$hash
ln -s ../../../blobs/$hash $gg/sub/a.gguf
ln -s ../../blobs/$hash $gg/b.gguf
$bantam list hf | here
$bantam inspect hf:org/gguf/sub/a.gguf -q | sed -n 2,3p
$bantam inspect hf:org/Name--with--dashes@$commit | sed -n 2,3p
$bantam inspect hf:org/gguf/none.gguf 2>&1 | here
$bantam inspect hf:org/Name--with--dashes@v2 2>&1 | here
$bantam inspect hf:org/other 2>&1 | here
$bantam inspect hf:../x/y 2>&1 | here
