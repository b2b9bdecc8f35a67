$bantam convert x
