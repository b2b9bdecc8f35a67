$bantam inspect a b
