# A base model in the hub's cache is read itself, and so are its own parents; circles end.
export HF_HOME=$PWD/hf
put() { # ORG--NAME CARD
    local d=hf/hub/models--$1 rev=0123456789012345678901234567890123456789
    mkdir -p "$d/refs" "$d/snapshots/$rev" && printf $rev > "$d/refs/main"
    cp "$root"/demo/config.json "$root"/demo/model.safetensors "$d/snapshots/$rev"
    printf -- '---\n%b---\n' "$2" > "$d/snapshots/$rev/README.md"
}
put some--base 'license: cc-by-nc-4.0\nbase_model: other/grand\n'
put other--grand 'license: gemma\nbase_model: some/base\n'
mkdir m && cp "$root"/demo/* m && printf -- '---\nlicense: apache-2.0\nbase_model: some/base\nbase_model_relation: finetune\n---\n' > m/README.md
"$bantam" inspect m --license | sed -n '2,9p;/base models/,/^$/p'
"$bantam" inspect hf:some/base --json | sed -n '/"base_models"/,/\]/p' | grep '"id"\|"license"'
