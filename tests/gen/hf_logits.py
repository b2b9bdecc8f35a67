#!/usr/bin/env python3
"""Tiny models whose configs say what GGUF has no key for, or say it in rare ways, with the logits of transformers (float32, eager).

usage: hf_logits.py [NAME...]       (needs torch, transformers, safetensors)
Writes tests/golden/logits/NAME/{config.json,model.safetensors,logits}; logits: uint32 tokens, uint32 vocabulary, the ids as int32,
the logits as float32, a row for each token."""
import json, os, shutil, struct, sys

import torch
import transformers as T
from safetensors.torch import load_file, save_file

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'logits')
SMALL = dict(vocab_size=12, hidden_size=16, intermediate_size=12, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2)
TEXT = SMALL | dict(model_type='ministral3', pad_token_id=0, rope_parameters={
    'rope_type': 'yarn', 'rope_theta': 1e6, 'factor': 4.0, 'original_max_position_embeddings': 16, 'beta_fast': 32.0, 'beta_slow': 1.0,
    'mscale': 1.0, 'mscale_all_dim': 1.0, 'llama_4_scaling_beta': 0.1})
VISION = dict(hidden_size=4, model_type='pixtral', num_hidden_layers=1, num_attention_heads=1, image_size=8, patch_size=4,
              intermediate_size=4, head_dim=4)
FALCON = dict(vocab_size=12, hidden_size=16, num_hidden_layers=2, num_attention_heads=4, bos_token_id=1, eos_token_id=2)


def rope(kind, **more):
    return dict(rope_parameters={'rope_type': kind, 'rope_theta': 10000.0} | more)


def old_rope(c):
    rope = c.pop('rope_parameters')
    c['rope_theta'], c['torch_dtype'] = rope['rope_theta'], c.pop('dtype')
    c['rope_scaling'] = {k: v for k, v in rope.items() if k != 'rope_theta'}


def whole_partial(c):
    c['partial_rotary_factor'] = 0.75       # as Phi-4-mini was published, beside what transformers 5 writes


# name: model class, settings, tokens, edit of config.json
MODELS = {
    'mistral_window': ('MistralForCausalLM', SMALL | dict(sliding_window=5), 20, None),
    'mixtral_window': ('MixtralForCausalLM', SMALL | dict(sliding_window=5, num_local_experts=3), 20, None),
    'starcoder2_window': ('Starcoder2ForCausalLM', SMALL | dict(sliding_window=5), 20, None),
    'qwen2_window_in_some_layers': ('Qwen2ForCausalLM', SMALL | dict(use_sliding_window=True, sliding_window=5, max_window_layers=1), 20, None),
    'qwen3_window_without_layer_types': ('Qwen3ForCausalLM', SMALL | dict(head_dim=8, use_sliding_window=True, sliding_window=5,
                                         max_window_layers=1), 20, lambda c: c.pop('layer_types')),
    'dynamic_scaling_beyond_the_context': ('LlamaForCausalLM', SMALL | dict(max_position_embeddings=10) | rope('dynamic', factor=2.0), 20, old_rope),
    'yarn_with_an_attention_factor': ('LlamaForCausalLM', SMALL | rope('yarn', factor=4.0, original_max_position_embeddings=16,
                                      attention_factor=1.3), 20, None),
    'tied_only_outside_the_text': ('Mistral3ForConditionalGeneration', dict(text_config=TEXT, vision_config=VISION, image_token_index=3,
                                   spatial_merge_size=2), 20, None),
    'falcon2_one_norm': ('FalconForCausalLM', FALCON | dict(num_kv_heads=2, new_decoder_architecture=True, num_ln_in_parallel_attn=1) |
                         rope('linear', factor=2.0, rope_theta=500042.0), 12, None),
    'falcon_base_of_its_own': ('FalconForCausalLM', FALCON | dict(multi_query=True) | rope('default', rope_theta=200.0), 12,
                               lambda c: c.pop('num_kv_heads')),
    'phi3_part_of_a_head_said_twice': ('Phi3ForCausalLM', SMALL | dict(pad_token_id=0) | rope('default', partial_rotary_factor=0.75), 12,
                                       whole_partial),
}


def make(name, kind, settings, n, edit):
    torch.manual_seed(sum(map(ord, name)))
    cls = getattr(T, kind)
    m = cls(cls.config_class(**settings)).to(torch.bfloat16)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_((0.5 * torch.randn(p.shape)).to(torch.bfloat16))
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    m.save_pretrained(path)
    if os.path.exists(path + '/generation_config.json'):
        os.remove(path + '/generation_config.json')
    with open(path + '/config.json') as fh:
        c = json.load(fh)
    if edit:
        edit(c)
    with open(path + '/config.json', 'w') as fh:
        json.dump(c, fh, indent=1)
        fh.write('\n')
    ids = torch.randint(0, 12, (1, n))
    m = cls.from_pretrained(path, dtype=torch.float32, attn_implementation='eager').eval()
    with torch.no_grad():
        logits = m(ids).logits[0]
    with open(path + '/logits', 'wb') as fh:
        fh.write(struct.pack('<II', *logits.shape) + ids.int().numpy().tobytes() + logits.numpy().tobytes())
    weights = load_file(path + '/model.safetensors')        # only the text: the rest is ignored, and large
    save_file({k: v.contiguous() for k, v in weights.items() if 'vision_tower' not in k}, path + '/model.safetensors', metadata={'format': 'pt'})


for name in sys.argv[1:] or MODELS:
    make(name, *MODELS[name])
