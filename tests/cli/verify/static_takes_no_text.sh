$bantam verify "$root/demo" --against "$root/demo" --static --text x
