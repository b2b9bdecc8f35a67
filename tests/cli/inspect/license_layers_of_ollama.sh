# License layers of an Ollama store are evidence, and become files beside what is made of the model.
export OLLAMA_MODELS=$PWD/o
mkdir -p o/blobs o/manifests/registry.ollama.ai/library/m
layer() { # KIND FILE: into the store, and its entry
    local sum; sum=$(sha256sum < "$2" | cut -c 1-64)
    cp "$2" "o/blobs/sha256-$sum"
    printf '{"mediaType":"application/vnd.ollama.image.%s","digest":"sha256:%s","size":%s}' "$1" "$sum" "$(stat -c %s "$2")"
}
"$bantam" convert "$root"/demo -o demo.gguf -q --license other --no-license-files
echo '{}' > config; echo 'A policy for all.' > policy
printf '{"schemaVersion":2,"config":%s,"layers":[%s,%s,%s]}' "$(layer config config | sed 's/vnd.ollama.image.config/vnd.docker.container.image.v1+json/')" \
    "$(layer model demo.gguf)" "$(layer license "$root"/demo/LICENSE)" "$(layer license policy)" > o/manifests/registry.ollama.ai/library/m/latest
"$bantam" inspect ollama:m --license | sed '1d;/^  terms/,$d'
"$bantam" audit ollama:
(unset OLLAMA_MODELS; "$bantam" audit o)
mkdir out && "$bantam" quantize ollama:m -o out/q.gguf --type Q8_0 -q && ls out && cmp out/LICENSE "$root"/demo/LICENSE
