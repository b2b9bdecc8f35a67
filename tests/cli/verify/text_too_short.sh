echo short >t
$bantam verify "$root/demo" --against "$root/demo" --text t
