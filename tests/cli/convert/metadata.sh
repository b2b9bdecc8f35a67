$bantam convert "$root/demo" -o out.gguf -q --metadata 'general.name=str:My model' --metadata my.flag=bool:true --metadata my.n=u8:255 --metadata my.x=f32:0.5 &&
    $bantam inspect out.gguf --json | grep -E '"(general.name|my\..*)"'
