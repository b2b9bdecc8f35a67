$bantam inspect x --pure
