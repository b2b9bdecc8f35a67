$bantam help convert
