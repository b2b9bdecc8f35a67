#!/usr/bin/env python3
"""Tiny models of every dense family, in variants, and what llama.cpp's convert_hf_to_gguf.py makes of them, without a vocabulary.

usage: hf_families.py LLAMA_CPP_DIR [NAME...]    (needs torch, transformers, safetensors, gguf)
Writes tests/golden/hf/NAME/{config.json,*.safetensors} and tests/golden/hf/NAME.gguf (--outtype f32)."""
import importlib, json, os, runpy, shutil, sys

import torch
import transformers as T
from safetensors.torch import load_file, save_file

CPP = os.path.abspath(sys.argv[1])
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'hf')
SMALL = dict(vocab_size=6, hidden_size=8, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
GPT = dict(vocab_size=6, n_embd=8, n_layer=2, n_head=2, n_positions=16, bos_token_id=1, eos_token_id=2)


def strip(prefix):
    """As checkpoints of an earlier time: without a prefix of the names."""
    def edit(c, path):
        file = os.path.join(path, 'model.safetensors')
        t = {k.removeprefix(prefix): v for k, v in load_file(file).items()}
        save_file(t, file, metadata={'format': 'pt'})
    return edit


def old_rope(c, path):
    rope = c.pop('rope_parameters')
    c['rope_theta'] = rope['rope_theta']
    c['torch_dtype'] = c.pop('dtype')


def old_bloom(c, path):
    strip('transformer.')(c, path)
    c['n_embed'], c['num_attention_heads'], c['n_inner'], c['seq_length'] = c.pop('hidden_size'), c.pop('n_head'), None, 24
    c.update(masked_softmax_fusion=True, offset_alibi=100, skip_bias_add=True, unk_token_id=0, attention_softmax_in_fp32=True)


def gemma3_old(c, path):
    rope = c.pop('rope_parameters')
    c['rope_theta'], c['rope_local_base_freq'] = rope['full_attention']['rope_theta'], rope['sliding_attention']['rope_theta']
    c['rope_scaling'] = {'rope_type': 'linear', 'factor': 8.0}
    c['sliding_window_pattern'] = 6
    c.pop('_sliding_window_pattern', None)
    c.pop('layer_types')


def mistral3_text(c, path):
    """Only the text model's tensors, as a multimodal checkpoint names them, and one of the rest."""
    file = os.path.join(path, 'model.safetensors')
    t = {'language_model.' + k: v for k, v in load_file(file).items()}
    t['multi_modal_projector.norm.weight'] = torch.ones(4).bfloat16()
    save_file(t, file, metadata={'format': 'pt'})
    text = dict(c)
    for key in ('architectures', 'transformers_version', 'dtype'):
        text.pop(key, None)
    for key in list(c):
        if key not in ('transformers_version', 'dtype'):
            c.pop(key)
    c.update(architectures=['Mistral3ForConditionalGeneration'], model_type='mistral3', text_config=text, spatial_merge_size=2,
             vision_feature_layer=-1, image_token_index=3, projector_hidden_act='gelu', multimodal_projector_bias=False,
             vision_config={'hidden_size': 4, 'model_type': 'pixtral', 'num_hidden_layers': 1, 'num_attention_heads': 1, 'image_size': 8,
                            'patch_size': 4, 'intermediate_size': 4})


YARN = {'rope_type': 'yarn', 'rope_theta': 1e6, 'factor': 4.0, 'original_max_position_embeddings': 16, 'beta_fast': 32.0, 'beta_slow': 1.0,
        'mscale': 1.0, 'mscale_all_dim': 1.0, 'llama_4_scaling_beta': 0.1}
LONG = {'rope_type': 'longrope', 'rope_theta': 10000.0, 'long_factor': [1.5, 2.5, 4.0], 'short_factor': [1.0, 1.25, 1.5],
        'partial_rotary_factor': 0.75, 'original_max_position_embeddings': 16}
# name: model class, config class, dtype, settings, edit, shard size
MODELS = {
    'qwen2': ('Qwen2', torch.bfloat16, SMALL | dict(rope_parameters={'rope_type': 'yarn', 'rope_theta': 1e6, 'factor': 4.0,
              'original_max_position_embeddings': 16}), None, '1KB'),
    'qwen3': ('Qwen3', torch.float16, SMALL | dict(head_dim=6, tie_word_embeddings=True, attention_bias=True), None, None),
    'gemma': ('Gemma', torch.float16, SMALL | dict(head_dim=6), old_rope, None),
    'gemma2': ('Gemma2', torch.bfloat16, SMALL | dict(head_dim=4, query_pre_attn_scalar=4, sliding_window=8), None, None),
    'gemma3': ('Gemma3', torch.bfloat16, SMALL | dict(head_dim=4, query_pre_attn_scalar=4, sliding_window=8, num_hidden_layers=6),
               gemma3_old, None),
    'gpt2': ('GPT2', torch.float32, GPT | dict(n_inner=32, n_ctx=16, tie_word_embeddings=False), strip('transformer.'), None),
    'starcoder': ('GPTBigCode', torch.float16, GPT, None, None),
    'starcoder2': ('Starcoder2', torch.bfloat16, SMALL | dict(use_bias=False, tie_word_embeddings=False, sliding_window=8), None, None),
    'phi3': ('Phi3', torch.bfloat16, SMALL | dict(hidden_size=16, rope_parameters=LONG, original_max_position_embeddings=16,
             pad_token_id=0, sliding_window=12, tie_word_embeddings=True), None, None),
    'falcon': ('Falcon', torch.bfloat16, dict(vocab_size=6, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, num_kv_heads=2,
               new_decoder_architecture=True), None, None),
    'bloom': ('Bloom', torch.float16, dict(vocab_size=6, hidden_size=12, n_layer=2, n_head=3), old_bloom, None),
    'mistral3': ('Ministral3', torch.bfloat16, SMALL | dict(head_dim=6, rope_parameters=YARN, pad_token_id=0), mistral3_text, None),
}
CLASSES = {'GPT2': 'GPT2LMHeadModel'}
CONFIGS = {'Gemma3': 'Gemma3TextConfig'}


def make(name, family, dtype, settings, edit, shard):
    torch.manual_seed(sum(map(ord, name)))
    config = getattr(T, CONFIGS.get(family, family + 'Config'))(**settings)
    m = getattr(T, CLASSES.get(family, family + 'ForCausalLM'))(config).to(dtype)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn(p.shape).to(dtype))
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    m.save_pretrained(path, **({'max_shard_size': shard} if shard else {}))
    if os.path.exists(path + '/generation_config.json'):
        os.remove(path + '/generation_config.json')
    with open(path + '/config.json') as fh:
        c = json.load(fh)
    if edit:
        edit(c, path)
    with open(path + '/config.json', 'w') as fh:
        json.dump(c, fh, indent=1)
        fh.write('\n')


def convert(name):
    path = os.path.join(OUT, name)
    tokenizer = path + '/tokenizer.json'        # Gemma 3 counts its tokens
    with open(tokenizer, 'w') as fh:
        json.dump({'model': {'vocab': {str(i): i for i in range(6)}}, 'added_tokens': []}, fh)
    sys.argv = ['convert_hf_to_gguf.py', path, '--outfile', path + '.gguf', '--outtype', 'f32']
    try:
        runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')
    finally:
        os.remove(tokenizer)


sys.path.insert(0, CPP)
for module in ('llama', 'qwen', 'gemma', 'gpt2', 'starcoder', 'phi', 'falcon', 'bloom', 'mistral3'):
    for c in vars(importlib.import_module('conversion.' + module)).values():
        if isinstance(c, type) and hasattr(c, 'set_vocab'):
            c.set_vocab = lambda self: None
for name in sys.argv[2:] or list(MODELS):
    make(name, *MODELS[name])
    convert(name)
