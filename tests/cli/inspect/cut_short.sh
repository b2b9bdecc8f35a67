head -c 100000 "$root/demo/model.safetensors" >x.safetensors
$bantam inspect x.safetensors
