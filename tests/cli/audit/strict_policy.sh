# Evidence, files, names, base models and lists of ids.
mkdir m && cp "$root"/demo/* m && printf -- '---\nlicense: llama3.1\n---\n' > m/README.md && rm m/LICENSE
echo '{"evidence":"exact","require_files":true,"require_names":true,"require_base_models":true,"allowed":["apache-2.0","mit"]}' > p.json
"$bantam" audit m --policy p.json; echo $?
echo '{"denied":["llama3.1"],"train_on_outputs":true,"commercial":true}' > p.json
"$bantam" audit m --policy p.json --json; echo $?
echo '{"commercial":true,"monthly_active_users":800000000}' > p.json
"$bantam" audit m --policy p.json; echo $?
"$bantam" audit m; echo $?
