mkdir m && cp "$root"/demo/* m/ && chmod u+w m/*
sed -i 's/"hidden_size"/"attention_twist": 3,\n  "hidden_size"/' m/config.json
$bantam convert m -o out.gguf
