# A tree of models against the sample policy: every reason, exit 1.
put() { mkdir -p "d/$1" && cp "$root"/demo/* "d/$1" && rm "d/$1/LICENSE" "d/$1/README.md"; }
card() { printf -- '---\n%b---\n' "$2" > "d/$1/README.md"; }
put apache; cp "$root"/demo/LICENSE d/apache
put conflict; cp "$root"/demo/LICENSE d/conflict; card conflict 'license: mit\n'
put silent
put research; card research 'license: other\nlicense_name: mrl\nlicense_link: https://mistral.ai/licenses/MRL-0.1.md\n'
put child; card child 'license: apache-2.0\nbase_model: meta-llama/Llama-3.2-11B-Vision\nbase_model_relation: finetune\n'
put stranger; card stranger 'license: apache-2.0\nbase_model: nobody/knows\n'
put hunyuan; card hunyuan 'license: other\nlicense_name: tencent-hunyuan-community\n'
put sd; card sd 'license: other\nlicense_name: stabilityai-ai-community\n'
put llama; card llama 'license: llama3.1\n'
put vision; card vision 'license: llama3.2\n'
sed -i '1s/{/{"vision_config": {},/' d/vision/config.json
put broken; truncate -s 100 d/broken/model.safetensors; card broken 'license: mit\n'
"$bantam" convert d/apache -o d/m.gguf -q
"$bantam" audit d --policy "$root"/docs/policy-eu-commercial.json
