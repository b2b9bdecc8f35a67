$bantam verify x --against y
