#!/usr/bin/env bash
# Bills of materials against the published schemas, by the validators of PyPI: CycloneDX 1.6 (cyclonedx-python-lib) and SPDX 3.0.1
# (spdx-python-model). Every license of the table, one that is in none, a directory and a file. Closes with 'N passed, N failed'.
set -u
cd "$(dirname "$0")/.." || exit 2
bantam=$PWD/${BANTAM:-bantam}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv" && "$work/venv/bin/pip" install -q 'cyclonedx-python-lib[validation]' spdx-python-model || exit 1
cat >"$work/validate.py" <<'END'
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from spdx_python_model import v3_0_1 as spdx
cyclonedx, ok, bad = JsonStrictValidator(SchemaVersion.V1_6), 0, 0
for path in sys.argv[1:]:
    why = None
    try:
        if path.endswith('.cyclonedx.json'):
            why = cyclonedx.validate_str(open(path, encoding='utf-8').read())
        else:
            objects = spdx.SHACLObjectSet()
            with open(path, encoding='utf-8') as f:
                spdx.JSONLDDeserializer().read(f, objects)
            missing = objects.link() - {'https://spdx.org/rdf/3.0.1/terms/Licensing/NoAssertion'}  # a name of the standard's own
            why = f'unresolved: {missing}' if missing else None
    except Exception as x:
        why = x
    ok, bad = ok + (why is None), bad + (why is not None)
    if why is not None:
        print(f'FAIL {path}: {str(why)[:300]}')
print(f'{ok} passed, {bad} failed')
sys.exit(bad != 0)
END
make_both() { # MODEL NAME
    for kind in cyclonedx spdx; do
        "$bantam" inspect "$1" --bom $kind >"$work/$2.$kind.json" || echo "FAIL $2: exit $?"
    done
}
make_both demo demo
mkdir "$work/file"
"$bantam" convert demo -o "$work/file/m.gguf" --type Q8_0 -q --no-license-files || exit 1
n=0
while IFS= read -r id; do
    n=$((n + 1))
    "$bantam" metadata set "$work/file/m.gguf" "general.license=str:$id" general.base_model.count=u32:1 'general.base_model.0.name=str:Llama 3.1' \
        general.base_model.0.repo_url=str:https://huggingface.co/meta-llama/Llama-3.1-8B general.dataset.count=u32:1 \
        general.dataset.0.name=str:imdb -q || exit 1
    make_both "$work/file/m.gguf" "license-$n"
done < <(grep -oE '\.id = "[^"]+"' formats/licenses.def | cut -d'"' -f2; echo 'a license that "nobody" knows!')
"$work/venv/bin/python" "$work/validate.py" "$work"/*.json
