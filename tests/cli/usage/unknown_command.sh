$bantam quantise x
