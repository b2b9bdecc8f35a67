. "$root/tests/store_home.sh"
$bantam convert "$root/demo" -o demo.gguf --type Q8_0 -q
printf 'A license.\n' >LICENSE
$bantam store demo.gguf --in lmstudio:me/demo-GGUF --link | here
$bantam store demo.gguf --in jan:me/demo | here
[ demo.gguf -ef .lmstudio/models/me/demo-GGUF/demo.gguf ] && echo linked
here <.local/share/Jan/data/llamacpp/models/me/demo/model.yml
$bantam list | here
$bantam inspect lmstudio:me/demo-GGUF | sed -n 2,3p
$bantam inspect lmstudio:me/demo-GGUF/demo.gguf | sed -n 2,3p
$bantam inspect jan:me/demo | sed -n 2,3p
echo other >.lmstudio/models/me/demo-GGUF/LICENSE
$bantam store demo.gguf --in lmstudio:me/demo-GGUF 2>&1 | here
$bantam store demo.gguf --in jan:../demo
$bantam store demo.gguf --in lmstudio:demo
$bantam store demo.gguf --in hf:a/b
$bantam store "$root/demo" --in jan:x
printf 'model_path: [a\n' >.local/share/Jan/data/llamacpp/models/me/demo/model.yml
$bantam list jan
find . -name '*.part'
