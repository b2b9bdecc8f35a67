$bantam embed "$root/tests/golden/encoder/mean"
