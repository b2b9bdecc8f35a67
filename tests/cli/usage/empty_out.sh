for out in "-o=" "--out="; do $bantam inspect "$root/demo" $out 2>/dev/null; echo $?; done
$bantam convert "$root/demo" -o ''
