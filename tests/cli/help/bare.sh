$bantam
