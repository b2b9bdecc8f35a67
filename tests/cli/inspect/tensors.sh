cp -r "$root/demo" . && $bantam inspect demo --tensors --hashes
