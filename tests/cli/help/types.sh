$bantam help types
