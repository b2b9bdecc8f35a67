$bantam perplexity "$root/demo" --text "$root/demo/text.txt" --context 128 --json | grep -vE 'seconds|peak|perplexity"|stderr'
