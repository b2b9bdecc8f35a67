. "$root/tests/store_home.sh"
$bantam list | here
$bantam list ollama: --json
