$bantam convert x -o
