. "$root/tests/store_home.sh"
$bantam list docker
