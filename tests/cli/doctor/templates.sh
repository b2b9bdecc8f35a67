# What a chat template can suffer from; the first is sound.
$bantam convert "$root/demo" -o d.gguf --type Q8_0 -q
n=0
while IFS= read -r line; do
    printf '%b' "$line" >t
    $bantam metadata set d.gguf tokenizer.chat_template=file:t -q || exit
    printf '%s\n' "$line"
    $bantam doctor d.gguf --fast --json 2>/dev/null | sed -n 's/^.*"text":[^"]*/    /p' | grep -v 'nothing says'
done <<'END'
{% for m in messages %}{% if m.role == 'user' %}{{ {'a': {'b': 1}}['a'] }}{% elif true %}x{% else %}{{- "}}%}" -}}{% endif %}{% endfor %}{# {% if #}{% set x %}y{% endset %}{% set z = [1] %}{% raw %}{% if %}{% endraw %}
{% for m in messages %}{{ m }}
{% if a %}{% endfor %}
{% endif %}
{% import 'x' %}
{{ m.content
{{ "unclosed }}
{% if (a %}{% endif %}
{{ a] }}
{# comment
\n\n{% else %}
   
END
