# Keys alone are a declaration; the parents' obligations come along.
"$bantam" convert "$root"/demo -o m.gguf --quiet --metadata general.license=str:llama3.2 \
    --metadata general.base_model.count=u32:1 --metadata general.base_model.0.name=str:Codestral \
    --metadata general.base_model.0.repo_url=str:https://huggingface.co/mistralai/Codestral-22B-v0.1
"$bantam" inspect m.gguf --license | sed -n 1,40p
