$bantam verify --help
