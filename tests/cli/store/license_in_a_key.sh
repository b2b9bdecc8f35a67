# No license file beside the model, but its text in a key: Ollama gets it all the same.
. "$root/tests/store_home.sh"
printf 'Be kind.\n' >text
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q --no-license-files --metadata general.license.text=file:text
$bantam store d.gguf --in ollama:d --modelfile Modelfile -q
grep -l 'Be kind' .ollama/models/blobs/* | wc -l
grep -c 'image.license' .ollama/models/manifests/registry.ollama.ai/library/d/latest
cat Modelfile
