cp -r "$root/demo" . && $bantam inspect demo --json
