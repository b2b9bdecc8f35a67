$bantam imatrix x -o y
