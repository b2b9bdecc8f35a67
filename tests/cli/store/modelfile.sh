. "$root/tests/store_home.sh"
$bantam convert "$root/demo" -o demo.gguf --type Q8_0 -q --metadata "tokenizer.chat_template=str:{{ '[INST]' }}{{ '<<SYS>>' }}"
printf 'Say "yes".\n' >LICENSE
$bantam store demo.gguf --modelfile Modelfile
cat Modelfile
$bantam store demo.gguf --modelfile Modelfile
