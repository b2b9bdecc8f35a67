$bantam --help
