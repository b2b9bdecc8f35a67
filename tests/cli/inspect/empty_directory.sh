mkdir d
$bantam inspect d
