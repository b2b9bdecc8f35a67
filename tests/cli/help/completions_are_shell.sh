# what `make install` puts in place is at least accepted by the shells and by man
$bantam help bash >bash && bash -n bash && bash -c '. ./bash; complete -p bantam; COMP_WORDS=(bantam conv) COMP_CWORD=1; _bantam; echo "${COMPREPLY[@]}"'
$bantam help man >man && grep -c '^\.TP' man
