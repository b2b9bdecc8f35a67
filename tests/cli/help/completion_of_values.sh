# The names of all types after --type, in any letter case; files and options as before.
$bantam help bash >c && . ./c
complete_words() { COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=(); _bantam; echo "${COMPREPLY[*]}"; }
complete_words bantam quantize m.gguf --type iq4
complete_words bantam quantize m.gguf -t Q3_K_
complete_words bantam quantize m.gguf --output-type = q8
complete_words bantam convert m --to s
complete_words bantam convert m --progress a
complete_words bantam verify --max-
complete_words bantam ver
touch model.gguf
complete_words bantam inspect mod
