# a result that cannot be written is a failure of the system, not a success
$bantam help >/dev/full
