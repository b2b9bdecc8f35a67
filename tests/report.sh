#!/usr/bin/env bash
# Pages in a browser: tests/report.sh PAGE.html... opens each in headless Chromium, on a desktop's and a phone's width, light and
# dark, and leaves pictures under build/report. It fails when the console says anything, when the page is wider than the screen, or
# when any file or host is asked for. Not part of `make test`: the browser is no dependency. Closes with 'N passed, N failed'.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
out=$root/build/report
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "report: no Chromium, 0 passed, 0 failed"; exit 0; }
mkdir -p "$out"
profile=$(mktemp -d)
trap 'rm -rf "$profile"' EXIT
passed=0 failed=0
verdict() { if [ -z "$2" ]; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAIL $1: $2"; fi; }
run() { timeout 120 "$browser" --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --hide-scrollbars --no-first-run --allow-file-access-from-files \
    --user-data-dir="$profile" --enable-logging=stderr "$@" 2>"$profile/log"; }

for page in "$@"; do
    page=$(realpath "$page") name=$(basename "$page" .html)
    verdict "$name: refers to nothing outside" "$(grep -oiE '(src|href)="?[^#" >][^" >]*|url\([^)]*\)|@import[^;]*|<script[^>]*>' "$page" | head -3)"
    for width in 1280 390; do
        for scheme in light dark; do
            dark=1
            [ $scheme = dark ] && dark=0
            picture=$out/$name-$width-$scheme.png
            rm -f "$picture"
            run "--blink-settings=preferredColorScheme=$dark" --screenshot="$picture" "--window-size=$width,${HEIGHT:-5000}" "file://$page"
            verdict "$name, $width, $scheme: a picture" "$([ -s "$picture" ] || echo none)"
            verdict "$name, $width, $scheme: the console is silent" "$(grep -E 'CONSOLE' "$profile/log" | head -3)"
        done
        # A page around it measures it: how wide it is, and whether anything shown reaches beyond the screen or lies on other text.
        cat >"$profile/around.html" <<END
<!doctype html><title>?</title><iframe id=f style="width:${width}px;height:900px;border:0" src="file://$page"></iframe>
<script>
onload = () => {
    const d = document.getElementById('f').contentDocument, wide = d.documentElement.scrollWidth, found = [];
    if (wide > $width) found.push('page ' + wide + ' wide');
    for (const svg of d.querySelectorAll('svg')) {
        const box = svg.getBoundingClientRect(), text = [...svg.querySelectorAll('text')].map(t => [t.getBoundingClientRect(), t.textContent]);
        if (!box.width) continue;
        for (const [r, s] of text) if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1) found.push('cut: ' + s);
        for (let i = 0; i < text.length; i++) for (let k = 0; k < i; k++) {
            const [a, s] = text[i], [b, t] = text[k];
            if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3) found.push('overlap: ' + s + ' / ' + t);
        }
    }
    for (const s of d.querySelectorAll('svg[role=img]')) if (!s.getAttribute('aria-label')) found.push('drawing without words');
    for (const f of d.querySelectorAll('figure')) if (!f.querySelector('figcaption')) found.push('figure without caption');
    for (const t of d.querySelectorAll('th')) if (!t.scope) found.push('head without scope');
    const ids = [...d.querySelectorAll('[id]')].map(e => e.id);
    if (new Set(ids).size != ids.length) found.push('an id twice');
    document.title = found.length ? found.slice(0, 5).join('; ') : 'good';
};
</script>
END
        answer=$(run --virtual-time-budget=5000 --window-size=1400,1000 --dump-dom "file://$profile/around.html" | sed -n 's/.*<title>\([^<]*\)<.*/\1/p' | head -1)
        verdict "$name, $width: layout" "$([ "$answer" = good ] || echo "${answer:-no answer}")"
    done
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
