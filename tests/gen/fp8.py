#!/usr/bin/env python3
"""Tiny checkpoints whose matrices are stored in few bits beside their scales, and what llama.cpp's convert_hf_to_gguf.py makes of them,
without a vocabulary.

usage: fp8.py LLAMA_CPP_DIR [NAME...]    (needs torch, transformers, safetensors, gguf, mistral_common)
Writes tests/golden/fp8/NAME/ and tests/golden/fp8/NAME.gguf (--outtype f32). Four of the ways are not known to the converter: the
reference of three is made from the same tensors under a config that it knows, that of AWQ from weights decoded by AWQ's own formula."""
import importlib, json, os, runpy, shutil, sys

import torch
import transformers as T
from safetensors.torch import load_file, save_file

CPP = os.path.abspath(sys.argv[1])
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'fp8')
SMALL = dict(vocab_size=6, hidden_size=8, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
YARN = {'rope_type': 'yarn', 'rope_theta': 1e6, 'factor': 4.0, 'original_max_position_embeddings': 16, 'beta_fast': 32.0, 'beta_slow': 1.0,
        'mscale': 1.0, 'mscale_all_dim': 1.0, 'llama_4_scaling_beta': 0.1}
FP8 = torch.float8_e4m3fn


def scales(shape, dtype=torch.bfloat16):
    return (torch.rand(shape) * 0.02 + 1e-4).to(dtype)


def store(t, shape, suffix, dtype=torch.bfloat16, stored=FP8, more=lambda base: {}):
    """The matrices of the layers in 8 bits, each with scales of shape(weight)."""
    out = {}
    for name, w in t.items():
        if '.layers.' in '.' + name and w.dim() > 1 and 'gate.weight' not in name:
            base = name.removesuffix('.weight')
            out[name] = torch.randint(-127, 128, w.shape, dtype=torch.int8) if stored == torch.int8 else (w.float() * 100).to(stored)
            out[(name if base == name else base + '.') + suffix if base != name else name + suffix] = scales(shape(w), dtype)
            out |= more(base)
        else:
            out[name] = w
    return out


def blocks(rows, columns):
    return lambda w: tuple(w.shape[:-2]) + (-(-w.shape[-2] // rows), -(-w.shape[-1] // columns))


def one(w):
    return ()


def channel(w):
    return (w.shape[0], 1)


def activation(base):
    return {base + '.activation_scale': scales(())}


def inputs(base):
    return {base + '.input_scale': scales((), torch.float32)}


def fp8(block):
    return dict(activation_scheme='dynamic', fmt='e4m3', quant_method='fp8', weight_block_size=block, modules_to_not_convert=['lm_head'])


def compressed(kind, format, **weights):
    return dict(quant_method='compressed-tensors', format=format, ignore=['lm_head'], kv_cache_scheme=None, quantization_status='compressed',
                config_groups={'group_0': {'targets': ['Linear'], 'output_activations': None, 'weights': dict(
                    num_bits=8, type=kind, symmetric=True, dynamic=False, observer='minmax') | weights}})


def static():
    return dict(activation_scheme='static', dequantize=False, modules_to_not_convert=['model.vision_tower', 'lm_head'], quant_method='fp8',
                weight_block_size=None)


# name: family, settings, options of save_pretrained, how the tensors are stored, quantization_config, one that the converter knows
MODELS = {
    'block': ('Qwen3', SMALL | dict(head_dim=6), {}, lambda t: store(t, blocks(3, 5), 'weight_scale_inv'), fp8([3, 5]), None),
    'experts': ('Qwen3Moe', SMALL | dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4, head_dim=6, norm_topk_prob=True),
                dict(max_shard_size='2KB'), lambda t: store(t, blocks(4, 4), 'weight_scale_inv', torch.float32), fp8([4, 4]), None),
    'fused': ('Qwen3Moe', SMALL | dict(num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4, head_dim=6, norm_topk_prob=True),
              dict(save_original_format=False), lambda t: fused(store(t, blocks(3, 4), 'weight_scale_inv')), fp8([3, 4]), None),
    'static': ('Ministral3', SMALL | dict(head_dim=6, rope_parameters=YARN, pad_token_id=0), {},
               lambda t: store(t, one, 'weight_scale_inv', more=activation), static(), None),
    'channel': ('Llama', SMALL, {}, lambda t: store(t, channel, 'weight_scale'), compressed('float', 'float-quantized', strategy='channel'),
                None),
    'int8': ('Qwen2', SMALL, {}, lambda t: store(t, channel, 'weight_scale', torch.float32, torch.int8),
             compressed('int', 'int-quantized', strategy='channel'), None),
    'modelopt': ('Llama', SMALL, {}, lambda t: store(t, one, 'weight_scale', torch.float32, more=inputs),
                 dict(quant_method='modelopt', quant_algo='FP8', producer={'name': 'modelopt', 'version': '0.29.0'}), None),
    'tensor': ('Llama', SMALL, {}, lambda t: store(t, lambda w: (1,), 'weight_scale', more=inputs),
               compressed('float', 'float-quantized', strategy='tensor'), dict(quant_method='modelopt', quant_algo='FP8')),
    'fbgemm': ('Llama', SMALL, {}, lambda t: store(t, channel, 'weight_scale', torch.float32),
               dict(quant_method='fbgemm_fp8', activation_scale_ub=1200.0, modules_to_not_convert=['lm_head']),
               dict(quant_method='modelopt', quant_algo='FP8')),
    'auto': ('Llama', SMALL, {}, lambda t: store(t, one, 'weight_scale', torch.float32, more=inputs),
             dict(quant_method='fp8', activation_scheme='static', ignored_layers=['lm_head']), dict(quant_method='modelopt', quant_algo='FP8')),
}


# ---- numbers of a few bits in words of 32 ----
def pack(q, bits, dim, order=None):
    """Along `dim`, the first number in the lowest bits."""
    n = 32 // bits
    q = q.movedim(dim, -1)
    q = torch.nn.functional.pad(q, (0, -q.shape[-1] % n)).unflatten(-1, (-1, n)).long()
    if order:
        q = q[..., order]
    w = (q << torch.arange(0, 32 - bits + 1, bits)[:n]).sum(-1)
    return (w - ((w >> 31) << 32)).int().movedim(-1, dim).contiguous()


def words(way, bits, size):
    """Stores each matrix of a layer, N x K, in groups of `size` columns."""
    def change(t):
        out = {}
        for name, w in t.items():
            if '.layers.' not in name or w.dim() != 2:
                out[name] = w
                continue
            (n, k), base = w.shape, name.removesuffix('.weight')
            q, s = torch.randint(0, 2 ** bits, (n, k)), (torch.rand(n, -(-k // size)) * 0.02 + 1e-3).half()
            z = torch.randint(1, 2 ** bits - 1, s.shape)
            if way == 'gptq':
                groups = torch.randperm(k) // size if bits == 4 else torch.arange(k) // size
                out |= {base + '.qweight': pack(q.T, bits, 0), base + '.scales': s.T.contiguous(), base + '.qzeros': pack(z.T, bits, 1),
                        base + '.g_idx': groups.int()}
            elif way == 'awq':
                order = [0, 2, 4, 6, 1, 3, 5, 7]
                out |= {base + '.qweight': pack(q.T, 4, 1, order), base + '.scales': s.T.contiguous(), base + '.qzeros': pack(z.T, 4, 1, order)}
                DECODED[name] = (q - z.repeat_interleave(size, 1)[:, :k]).float() * s.float().repeat_interleave(size, 1)[:, :k]
            else:
                out |= {name + '_packed': pack(q, bits, 1), name + '_scale': s.bfloat16(), name + '_shape': torch.tensor([n, k])}
                out |= {name + '_zero_point': pack(z, bits, 0)} if way == 'zero' else {}
        return out
    return change


DECODED = {}
WIDE = SMALL | dict(hidden_size=16, intermediate_size=24)
MODELS |= {
    'gptq': ('Llama', WIDE, {}, words('gptq', 4, 8), dict(quant_method='gptq', bits=4, group_size=8, desc_act=True, sym=False), None),
    'gptq8': ('Llama', WIDE, {}, words('gptq', 8, 16), dict(quant_method='gptq', bits=8, group_size=16, desc_act=False, checkpoint_format='gptq_v2'),
              None),
    'awq': ('Llama', WIDE, {}, words('awq', 4, 8), dict(quant_method='awq', bits=4, group_size=8, version='gemm', zero_point=True), None),
    'packed': ('Llama', WIDE, {}, words('packed', 4, 8), compressed('int', 'pack-quantized', num_bits=4, strategy='group', group_size=8), None),
    'packed-zero': ('Llama', WIDE, {}, words('zero', 3, 4), compressed('int', 'pack-quantized', num_bits=3, strategy='group', group_size=4,
                    symmetric=False), None),
}


def fused(t):
    """transformers' names: the scales of a tensor that is not called .weight."""
    return {n.replace('projweight_scale_inv', 'proj_scale_inv'): w for n, w in t.items()}


def config(path, change):
    with open(path + '/config.json') as fh:
        c = json.load(fh)
    change(c)
    with open(path + '/config.json', 'w') as fh:
        json.dump(c, fh, indent=1)
        fh.write('\n')


def make(name, family, settings, how, stored, quantization):
    torch.manual_seed(sum(map(ord, name)))
    m = getattr(T, family + 'ForCausalLM')(getattr(T, family + 'Config')(**settings)).to(torch.bfloat16)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn(p.shape).bfloat16())
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    m.save_pretrained(path, **how)
    if os.path.exists(path + '/generation_config.json'):
        os.remove(path + '/generation_config.json')
    files = sorted(f for f in os.listdir(path) if f.endswith('.safetensors'))
    where = {}
    for file in files:
        t = stored(load_file(os.path.join(path, file)))
        save_file(t, os.path.join(path, file), metadata={'format': 'pt'})
        where |= dict.fromkeys(t, file)
    if len(files) > 1:
        with open(path + '/model.safetensors.index.json', 'w') as fh:
            json.dump({'metadata': {}, 'weight_map': where}, fh)
    config(path, lambda c: c.update(quantization_config=quantization))


def convert(path, name, *more):
    sys.argv = ['convert_hf_to_gguf.py', path, '--outfile', os.path.join(OUT, name + '.gguf'), '--outtype', 'f32', *more]
    runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')


def reference(name, known):
    path = os.path.join(OUT, name)
    if name == 'awq':
        shutil.copytree(path, os.path.join(OUT, 'tmp', name))
        path = os.path.join(OUT, 'tmp', name)
        file = os.path.join(path, 'model.safetensors')
        plain = {n: w for n, w in load_file(file).items() if not n.endswith(('.qweight', '.scales', '.qzeros'))}
        save_file(plain | DECODED, file, metadata={'format': 'pt'})
        config(path, lambda c: c.pop('quantization_config'))
    if known:
        shutil.copytree(path, os.path.join(OUT, 'tmp', name))
        path = os.path.join(OUT, 'tmp', name)
        config(path, lambda c: c.update(quantization_config=known))
    convert(path, name)
    shutil.rmtree(os.path.join(OUT, 'tmp'), ignore_errors=True)


def native(name='native'):
    """Mistral's own names."""
    torch.manual_seed(8)
    p = dict(dim=8, n_layers=2, head_dim=6, hidden_dim=6, n_heads=2, n_kv_heads=1, norm_eps=1e-5, vocab_size=6, max_position_embeddings=96,
             rope_theta=1e6, tied_embeddings=True, quantization=dict(qformat_weight='fp8_e4m3', qscheme_act='TENSOR'))
    t = {'tok_embeddings.weight': (6, 8), 'norm.weight': (8,)}
    for i in range(2):
        at = f'layers.{i}.'
        t |= {at + 'attention.wq.weight': (12, 8), at + 'attention.wk.weight': (6, 8), at + 'attention.wv.weight': (6, 8),
              at + 'attention.wo.weight': (8, 12), at + 'attention_norm.weight': (8,), at + 'ffn_norm.weight': (8,),
              at + 'feed_forward.w1.weight': (6, 8), at + 'feed_forward.w2.weight': (8, 6), at + 'feed_forward.w3.weight': (6, 8)}
    t = store({n: torch.randn(s).bfloat16() for n, s in t.items()}, one, 'qscale_weight', torch.float32,
              more=lambda base: {base + '.qscale_act': scales((), torch.float32)})
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    save_file(t, path + '/consolidated.safetensors')
    with open(path + '/params.json', 'w') as fh:
        json.dump(p, fh, indent=1)
        fh.write('\n')
    import conversion.llama, conversion.mistral
    keys = conversion.llama.LlamaModel.set_gguf_parameters

    def with_size(self):        # see mistral.py
        mine, self.is_mistral_format = self.is_mistral_format, False
        keys(self)
        self.is_mistral_format = mine
    conversion.llama.LlamaModel.set_gguf_parameters = with_size
    convert(path, name, '--mistral-format')
    conversion.llama.LlamaModel.set_gguf_parameters = keys


sys.path.insert(0, CPP)
for module in ('llama', 'qwen', 'mistral3'):
    for c in vars(importlib.import_module('conversion.' + module)).values():
        if isinstance(c, type) and hasattr(c, 'set_vocab'):
            c.set_vocab = lambda self: None
os.makedirs(OUT, exist_ok=True)
for name in sys.argv[2:] or [*MODELS, 'native']:
    if name == 'native':
        native()
    else:
        make(name, *MODELS[name][:-1])
        reference(name, MODELS[name][-1])
