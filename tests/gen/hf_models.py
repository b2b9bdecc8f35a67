#!/usr/bin/env python3
"""Tiny Hugging Face models and what llama.cpp's convert_hf_to_gguf.py makes of them, without a vocabulary.

usage: hf_models.py LLAMA_CPP_DIR        (needs torch, transformers, safetensors, gguf)
Writes tests/golden/hf/NAME/{config.json,*.safetensors,...} and tests/golden/hf/NAME.gguf (--outtype f32), and the weight files
of tests/bad/hf, which go with the config of 'yesterday'."""
import json, os, runpy, shutil, struct, sys

import torch
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

CPP = os.path.abspath(sys.argv[1])
TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
OUT = os.path.join(TESTS, 'golden', 'hf')
BAD = os.path.join(TESTS, 'bad', 'hf')

CARD = '''---
license: other
license_name: bantam-test
license_link: LICENSE
language:
- en
- no
tags:
- tiny
- "say: this"
base_model: bantam-test/Tiny-0.1M-base   # an id
datasets:
- https://huggingface.co/datasets-org/words-v2
model_creator: 'Nobody''s'
description: >-
  Two lines
  folded into one.
---
# Not read
'''


def make(name, model, config, dtype, edit=None, shard=None, **settings):
    torch.manual_seed(sum(map(ord, name)))
    base = dict(vocab_size=6, hidden_size=8, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2,
                num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
    m = model(config(**(base | settings))).to(dtype)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn(p.shape).to(dtype))
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    m.save_pretrained(path, **({'max_shard_size': shard} if shard else {}))
    generation = os.path.join(path, 'generation_config.json')
    if os.path.exists(generation):
        os.remove(generation)
    config_path = os.path.join(path, 'config.json')
    with open(config_path) as fh:
        c = json.load(fh)
    if edit:
        edit(c, path)
    with open(config_path, 'w') as fh:
        json.dump(c, fh, indent=1)
        fh.write('\n')


def today(c, path):
    with open(os.path.join(path, 'README.md'), 'w') as fh:
        fh.write(CARD)
    with open(os.path.join(path, 'generation_config.json'), 'w') as fh:
        json.dump({'temperature': 0.7, 'top_k': 40, 'top_p': 0.95, 'repetition_penalty': 1.05, 'do_sample': True}, fh)


def yesterday(c, path):
    rope = c.pop('rope_parameters')
    c['rope_theta'] = rope.pop('rope_theta')
    rope['type'] = rope.pop('rope_type')
    c['rope_scaling'] = rope
    c['torch_dtype'] = c.pop('dtype')
    c['_name_or_path'] = 'bantam-test/Tiny-0.1M-chat-v1.5'
    for key in ('head_dim', 'num_key_value_heads', 'tie_word_embeddings', 'mlp_bias', 'attention_bias'):
        c.pop(key, None)
    file = os.path.join(path, 'model.safetensors')
    t = load_file(file)
    for layer in range(2):
        t[f'model.layers.{layer}.self_attn.rotary_emb.inv_freq'] = torch.rand(2)
    save_file(t, file, metadata={'format': 'pt'})


def convert(name):
    import conversion.llama
    conversion.llama.LlamaModel.set_vocab = lambda self: None
    sys.argv = ['convert_hf_to_gguf.py', os.path.join(OUT, name), '--outfile', os.path.join(OUT, name + '.gguf'), '--outtype', 'f32']
    runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')


def bad_weights():
    """Each is wrong in the one way that its name tells."""
    os.makedirs(BAD, exist_ok=True)
    good = load_file(os.path.join(OUT, 'yesterday', 'model.safetensors'))
    q = 'model.layers.0.self_attn.q_proj.weight'

    def write(name, change):
        t = {k: v.clone() for k, v in good.items()}
        change(t)
        save_file(t, os.path.join(BAD, name + '.safetensors'))

    write('layer-beyond-the-last', lambda t: t.update({'model.layers.2.input_layernorm.weight': torch.ones(8).half()}))
    write('tensor-missing', lambda t: t.pop('model.layers.1.mlp.up_proj.weight'))
    write('output-missing-untied', lambda t: t.pop('lm_head.weight'))
    write('tensor-unknown', lambda t: t.update({'model.layers.0.self_attn.q_norm.weight': torch.ones(4).half()}))
    write('shape-not-as-config', lambda t: t.update({q: t[q][:4].clone()}))
    write('vocabulary-rows', lambda t: t.update({'model.embed_tokens.weight': torch.ones(5, 8).half()}))
    write('rank-not-as-config', lambda t: t.update({q: t[q].reshape(4, 2, 8).clone()}))
    write('bias-not-in-config', lambda t: t.update({q.replace('weight', 'bias'): torch.ones(8).half()}))
    write('layer-number-with-zero', lambda t: t.update({'model.layers.01.input_layernorm.weight': torch.ones(8).half()}))


sys.path.insert(0, CPP)
os.makedirs(OUT, exist_ok=True)
make('today', LlamaForCausalLM, LlamaConfig, torch.bfloat16, today, shard='2KB', num_key_value_heads=1, head_dim=8, attention_bias=True,
     mlp_bias=True, rope_parameters={'rope_type': 'llama3', 'rope_theta': 500000.0, 'factor': 8.0, 'low_freq_factor': 1.0,
                                     'high_freq_factor': 4.0, 'original_max_position_embeddings': 16384})
make('yesterday', LlamaForCausalLM, LlamaConfig, torch.float16, yesterday,
     rope_parameters={'rope_type': 'linear', 'rope_theta': 20000.0, 'factor': 2.5})
make('mistral', MistralForCausalLM, MistralConfig, torch.float32, num_key_value_heads=1, head_dim=6, sliding_window=16,
     tie_word_embeddings=True)
make('yarn', LlamaForCausalLM, LlamaConfig, torch.bfloat16, num_hidden_layers=1,
     rope_parameters={'rope_type': 'yarn', 'rope_theta': 10000.0, 'factor': 4.0, 'original_max_position_embeddings': 16,
                      'beta_fast': 16.0, 'beta_slow': 2.0, 'attention_factor': 1.25})
for name in ('today', 'yesterday', 'mistral', 'yarn'):
    convert(name)
bad_weights()
