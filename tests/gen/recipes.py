#!/usr/bin/env python3
"""Which encoding llama-quantize gives to each tensor, for models that exercise its rules -> tests/golden/recipes.txt

usage: recipes.py LLAMA_QUANTIZE SHARED > tests/golden/recipes.txt      (needs the gguf package and numpy)

The synthetic models have the right names, numbers of layers and row lengths, and next to no rows: `--dry-run` decides
types by names and metadata alone. The demo model's types come from SHARED/ref/quant. Lines of the output:
    model NAME ARCH layers=N heads=N kv=N experts=N source=TYPE
    tensor NAME SHAPE           (%d in a name: one tensor per layer)
    types MODE RECIPE LETTERS   (a letter per tensor in the order of the lines above, 'q12' = twelve times q;
                                 MODE is plain, pure or imatrix; '!' alone: refused)
    letter L TYPE"""
import json, os, re, subprocess, sys, tempfile
import numpy as np, gguf

LETTERS = {}
RECIPES = ('Q1_0 Q2_0 Q4_0 Q4_1 MXFP4_MOE Q5_0 Q5_1 IQ2_XXS IQ2_XS IQ2_S IQ2_M IQ1_S IQ1_M TQ1_0 TQ2_0 Q2_K Q2_K_S IQ3_XXS IQ3_S IQ3_M Q3_K IQ3_XS '
           'Q3_K_S Q3_K_M Q3_K_L IQ4_NL IQ4_XS Q4_K Q4_K_S Q4_K_M Q5_K Q5_K_S Q5_K_M Q6_K Q8_0 F16 BF16 F32 COPY').split()
DENSE = ['attn_norm %d:1', 'attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down']

def dense(w, ffn=None, norm=True):
    ffn = ffn or w
    return ([('blk.%d.attn_norm.weight', (w,))] if norm else []) + [(f'blk.%d.{n}.weight', (2, ffn if n == 'ffn_down' else w)) for n in DENSE[1:]]
def experts(n, w, shared=False):
    t = [('blk.%d.attn_norm.weight', (w,))] + [(f'blk.%d.{k}.weight', (2, w)) for k in ('attn_q', 'attn_k', 'attn_v', 'attn_output')]
    t += [('blk.%d.ffn_gate_inp.weight', (n, w))] + [(f'blk.%d.{k}_exps.weight', (n, 2, w)) for k in ('ffn_gate', 'ffn_up', 'ffn_down')]
    return t + ([(f'blk.%d.{k}_shexp.weight', (2, w)) for k in ('ffn_gate', 'ffn_up', 'ffn_down')] if shared else [])
def ends(w, tied=False):
    return [('token_embd.weight', (4, w)), ('output_norm.weight', (w,))] + ([] if tied else [('output.weight', (4, w))])

MODELS = [
    ('plain', 'llama', 32, 32, 32, 0, ends(256) + dense(256)),
    ('gqa', 'llama', 33, 32, 8, 0, ends(256) + dense(256)),
    ('gqa3-tied', 'llama', 28, 24, 8, 0, ends(256, True) + dense(256)),
    ('70b', 'llama', 80, 64, 8, 0, ends(256) + dense(256)),
    ('65b', 'llama', 80, 64, 64, 0, ends(256) + dense(256)),
    ('72b', 'qwen2', 80, 64, 64, 0, ends(256) + dense(256)),
    ('eight-experts', 'llama', 32, 32, 8, 8, ends(256) + experts(8, 256)),
    ('four-experts', 'llama', 24, 32, 32, 4, ends(256) + experts(4, 256)),
    ('shared-experts', 'qwen2moe', 24, 16, 16, 60, ends(256) + experts(60, 256, True)),
    ('falcon', 'falcon', 32, 64, 1, 0, ends(256) + [('blk.%d.attn_norm.weight', (256,)), ('blk.%d.attn_qkv.weight', (2, 256)),
        ('blk.%d.attn_output.weight', (2, 256)), ('blk.%d.ffn_up.weight', (2, 256)), ('blk.%d.ffn_down.weight', (2, 256))]),
    ('gpt2', 'gpt2', 12, 12, 12, 0, ends(256) + [('position_embd.weight', (4, 256)), ('blk.%d.attn_norm.weight', (256,)), ('blk.%d.attn_norm.bias', (256,)),
        ('blk.%d.attn_qkv.weight', (2, 256)), ('blk.%d.attn_qkv.bias', (256,)), ('blk.%d.attn_output.weight', (2, 256)),
        ('blk.%d.ffn_up.weight', (2, 256)), ('blk.%d.ffn_down.weight', (2, 256)), ('blk.%d.ffn_down.bias', (256,))]),
    ('rows-2880', 'llama', 16, 8, 8, 0, ends(2880) + dense(2880)),
    ('rows-320-tied', 'llama', 10, 8, 2, 0, ends(320, True) + dense(320, 512)),
    ('rows-96', 'llama', 9, 8, 8, 0, ends(96) + dense(96, 256)),
    ('rows-40', 'llama', 8, 8, 8, 0, ends(40) + dense(40, 64)),
    ('flat', 'llama', 4, 8, 8, 0, ends(256) + dense(256) + [('blk.%d.one_row.weight', (1, 256)), ('blk.%d.one_column.weight', (4, 1))]),
]

def key(mode, types):
    runs = re.findall(r'((.)\2*)', ''.join(LETTERS.setdefault(t, chr((65 if len(LETTERS) < 26 else 71) + len(LETTERS))) for t in types))
    return ''.join(c + (str(len(r)) if len(r) > 1 else '') for r, c in runs)

def show(name, arch, layers, heads, kv, nexp, source, tensors, rows):
    print(f'model {name} {arch} layers={layers} heads={heads} kv={kv} experts={nexp} source={source}')
    for n, shape in tensors: print('tensor', n, 'x'.join(map(str, shape)))
    for r in rows: print('types', *r)

def synthetic(quantize, tmp, name, arch, layers, heads, kv, nexp, tensors):
    path = os.path.join(tmp, name + '.gguf'); w = gguf.GGUFWriter(path, arch)
    w.add_block_count(layers); w.add_context_length(64); w.add_embedding_length(256); w.add_feed_forward_length(512)
    w.add_head_count(heads); w.add_head_count_kv(kv); w.add_layer_norm_rms_eps(1e-5); w.add_layer_norm_eps(1e-5); w.add_vocab_size(4)
    if nexp: w.add_expert_count(nexp); w.add_expert_used_count(2); w.add_expert_feed_forward_length(256); w.add_expert_shared_feed_forward_length(256)
    names = []
    for n, shape in tensors:
        for l in range(layers) if '%d' in n else [0]:
            names.append(n % l if '%d' in n else n); w.add_tensor(names[-1], np.zeros(shape, np.float32))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    im = os.path.join(tmp, 'im.gguf'); w = gguf.GGUFWriter(im, 'imatrix'); w.add_type('imatrix'); w.add_array('imatrix.datasets', ['none'])
    w.add_uint32('imatrix.chunk_count', 1); w.add_uint32('imatrix.chunk_size', 512)
    w.add_tensor('x.in_sum2', np.ones((1, 256), np.float32)); w.add_tensor('x.counts', np.ones((1, 1), np.float32))
    w.write_header_to_file(); w.write_kv_data_to_file(); w.write_tensors_to_file(); w.close()
    rows = []
    for mode, extra in ('plain', []), ('pure', ['--pure']), ('imatrix', ['--imatrix', im]):
        for recipe in RECIPES:
            p = subprocess.run([quantize, '--dry-run', *extra, path, recipe], capture_output=True, text=True)
            out = p.stdout + p.stderr
            if p.returncode: rows.append((mode, recipe, '!')); print(name, mode, recipe, out.strip().splitlines()[-2:], file=sys.stderr); continue
            got = {}
            for m in re.finditer(r'\[ *\d+/ *\d+\] (\S+) +- \[.*?\], type = +(\w+), size = [^(\n]*(?:\((\w+)\))?', out):
                got[m[1]] = (m[3] or m[2]).lower()
            assert len(got) == len(names), (name, recipe, len(got), len(names), out[-2000:])
            rows.append((mode, recipe, key(mode, [got[n] for n in names])))
    show(name, arch, layers, heads, kv, nexp, 'f32', tensors, rows)

def demo(shared):
    d = os.path.join(shared, 'ref', 'quant'); r = gguf.GGUFReader(os.path.join(d, 'demo.gguf'))
    tensors = [(t.name, tuple(int(x) for x in reversed(t.shape))) for t in r.tensors]
    u = lambda k: int(r.fields['llama.' + k].parts[-1][0])
    sources = {len(s): t.tensor_type.name.lower() for t, (_, s) in zip(r.tensors, tensors)}
    assert sources[1] == 'f32', sources
    rows = []
    for file, imatrix in ('demo.json', False), ('demo-imatrix.json', True):
        for k, e in json.load(open(os.path.join(d, file)))['types'].items():
            recipe, _, pure = k.partition(':'); mode = ('imatrix-pure' if pure else 'imatrix') if imatrix else ('pure' if pure else 'plain')
            if 'error' in e: rows.append((mode, recipe, '!')); continue
            got = {t['name']: t['type'].lower() for t in e['tensors']}
            rows.append((mode, recipe, key(mode, [got[n] for n, _ in tensors])))
    show('demo', 'llama', u('block_count'), u('attention.head_count'), u('attention.head_count_kv'), 0, sources[2], tensors, rows)

if __name__ == '__main__':
    print('# Made by tests/gen/recipes.py from llama-quantize; see there.')
    demo(sys.argv[2])
    with tempfile.TemporaryDirectory() as tmp:
        for m in MODELS: synthetic(sys.argv[1], tmp, *m)
    for t, l in sorted(LETTERS.items()): print('letter', l, t)
