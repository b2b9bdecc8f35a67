# What is not understood would not be kept: refused.
for p in '{"comercial":true}' '{"allowed":["no-such-license"]}' '{"evidence":"good"}' '{"monthly_active_users":-1}' '[]' '{'; do
    echo "$p" > p.json
    "$bantam" audit --policy p.json "$root"/demo; echo $?
done
"$bantam" audit nowhere; echo $?
