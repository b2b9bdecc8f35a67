#!/usr/bin/env python3
"""Tiny mixtures of experts and what llama.cpp's convert_hf_to_gguf.py makes of them, without a vocabulary.

usage: hf_experts.py LLAMA_CPP_DIR        (needs torch, transformers, safetensors, gguf)
Writes tests/golden/hf_experts/NAME/{config.json,*.safetensors} and tests/golden/hf_experts/NAME.gguf (--outtype f32)."""
import json, os, runpy, shutil, sys

import torch
from safetensors.torch import save_file
from transformers import (DbrxConfig, DbrxForCausalLM, MixtralConfig, MixtralForCausalLM, Qwen2MoeConfig, Qwen2MoeForCausalLM,
                          Qwen3MoeConfig, Qwen3MoeForCausalLM)

CPP = os.path.abspath(sys.argv[1])
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'hf_experts')
SIZES = dict(vocab_size=6, hidden_size=8, intermediate_size=6, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
             max_position_embeddings=64, bos_token_id=1, eos_token_id=2)


def make(name, model, config, shard=None, fused=False, **settings):
    torch.manual_seed(sum(map(ord, name)))
    m = model(config(**settings)).to(torch.bfloat16)
    with torch.no_grad():
        for p in m.parameters():
            p.copy_(torch.randn(p.shape).to(torch.bfloat16))
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    m.save_pretrained(path, save_original_format=not fused, **({'max_shard_size': shard} if shard else {}))
    generation = os.path.join(path, 'generation_config.json')
    if os.path.exists(generation):
        os.remove(generation)


def grok():
    """transformers has no class for it: names and keys of the PyTorch port."""
    torch.manual_seed(5)
    shapes = {'transformer.in_out_embed': (6, 8), 'transformer.rms_norm': (8,)}
    for layer in range(2):
        at = f'transformer.decoder_layer.{layer}.'
        shapes |= {at + 'multi_head_attention.query': (8, 8), at + 'multi_head_attention.key': (4, 8),
                   at + 'multi_head_attention.value': (4, 8), at + 'multi_head_attention.linear': (8, 8), at + 'router': (3, 8)}
        shapes |= {at + norm: (8,) for norm in ('rms_norm', 'rms_norm_1', 'rms_norm_2', 'rms_norm_3')}
        for expert in range(3):
            shapes |= {f'{at}moe.{expert}.linear': (6, 8), f'{at}moe.{expert}.linear_1': (8, 6), f'{at}moe.{expert}.linear_v': (6, 8)}
    path = os.path.join(OUT, 'grok')
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    save_file({n + '.weight': torch.randn(s).bfloat16() for n, s in shapes.items()}, os.path.join(path, 'model.safetensors'),
              metadata={'format': 'pt'})
    with open(os.path.join(path, 'config.json'), 'w') as fh:
        json.dump(SIZES | dict(architectures=['Grok1ForCausalLM'], model_type='grok-1', num_local_experts=3, num_experts_per_tok=2,
                               attn_output_multiplier=0.3, embedding_multiplier_scale=11.5, output_multiplier_scale=0.6,
                               max_attn_value=30.0, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True,
                               torch_dtype='bfloat16'), fh, indent=1)
        fh.write('\n')


def convert(name):
    import conversion.dbrx, conversion.grok, conversion.llama, conversion.qwen
    for c in (conversion.dbrx.DbrxModel, conversion.grok.GrokModel, conversion.llama.LlamaModel, conversion.qwen.Qwen2MoeModel,
              conversion.qwen.Qwen3MoeModel):
        c.set_vocab = lambda self: None
    gguf = conversion.dbrx.gguf
    for t in ('FFN_GATE', 'FFN_UP', 'FFN_DOWN'):        # it has no names for layers without experts in this family
        gguf.MODEL_TENSORS[gguf.MODEL_ARCH.QWEN2MOE].append(gguf.MODEL_TENSOR[t])
    sys.argv = ['convert_hf_to_gguf.py', os.path.join(OUT, name), '--outfile', os.path.join(OUT, name + '.gguf'), '--outtype', 'f32']
    runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')


sys.path.insert(0, CPP)
os.makedirs(OUT, exist_ok=True)
make('mixtral', MixtralForCausalLM, MixtralConfig, shard='4KB', num_local_experts=11, num_experts_per_tok=3, **SIZES)
make('qwen3moe', Qwen3MoeForCausalLM, Qwen3MoeConfig, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4, head_dim=6,
     norm_topk_prob=True, **SIZES)
make('qwen2moe', Qwen2MoeForCausalLM, Qwen2MoeConfig, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4,
     shared_expert_intermediate_size=10, **SIZES)
make('dbrx', DbrxForCausalLM, DbrxConfig, d_model=8, n_heads=2, n_layers=2, max_seq_len=64, vocab_size=6, bos_token_id=1, eos_token_id=2,
     rope_parameters={'rope_type': 'default', 'rope_theta': 50000.0}, attn_config=dict(clip_qkv=3.5, kv_n_heads=1, rope_theta=50000.0),
     ffn_config=dict(ffn_hidden_size=6, hidden_size=8, moe_num_experts=3, moe_top_k=2, moe_jitter_eps=None))
make('fused-qwen2moe', Qwen2MoeForCausalLM, Qwen2MoeConfig, fused=True, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4,
     shared_expert_intermediate_size=10, **SIZES)
make('fused-qwen3moe', Qwen3MoeForCausalLM, Qwen3MoeConfig, fused=True, num_experts=5, num_experts_per_tok=2, moe_intermediate_size=6,
     head_dim=6, norm_topk_prob=True, tie_word_embeddings=True, **SIZES)
make('mixed', Qwen2MoeForCausalLM, Qwen2MoeConfig, num_experts=3, num_experts_per_tok=2, moe_intermediate_size=4,
     shared_expert_intermediate_size=10, decoder_sparse_step=2, mlp_only_layers=[1], **SIZES | {'num_hidden_layers': 4})
grok()
for name in ('mixtral', 'qwen3moe', 'qwen2moe', 'dbrx', 'grok', 'fused-qwen2moe', 'fused-qwen3moe', 'mixed'):
    convert(name)
for fused in False, True:       # the converter knows no fused Mixtral: the reference is that of the same weights in the usual form
    make('fused-mixtral', MixtralForCausalLM, MixtralConfig, fused=fused, num_local_experts=5, num_experts_per_tok=2, **SIZES)
    if not fused:
        convert('fused-mixtral')
