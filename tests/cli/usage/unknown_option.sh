$bantam inspect x --tensor
