#!/usr/bin/env python3
"""Tiny models as Mistral publishes them and what llama.cpp's convert_hf_to_gguf.py --mistral-format makes of them, without a
vocabulary; a small tekken.json with the ids of mistral_common; vocab.json and merges.txt with the ids of tokenizers.

usage: mistral.py LLAMA_CPP_DIR       (needs torch, safetensors, gguf, mistral_common, tokenizers, regex; run from the root)
Writes tests/golden/native/NAME/, tests/golden/native/NAME.gguf (--outtype f32), tests/golden/tokenizer/{tekken,pair}/.
The converter refuses Mixtral in this form: its reference is made from the same weights under transformers' names."""
import base64, collections, json, os, random, runpy, shutil, sys

import regex, torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, pre_tokenizers as pre, trainers

CPP = os.path.abspath(sys.argv[1])
OUT = 'tests/golden/native'
SIZES = dict(dim=8, n_layers=2, head_dim=6, hidden_dim=6, n_heads=2, n_kv_heads=1, norm_eps=1e-5, vocab_size=6)


def weights(p, experts=0, extra=()):
    torch.manual_seed(p.get('max_position_embeddings', 1))
    d, ff, q, kv = p['dim'], p['hidden_dim'], p['n_heads'] * p['head_dim'], p['n_kv_heads'] * p['head_dim']
    shapes = {'tok_embeddings': (p['vocab_size'], d), 'norm': (d,)} | ({} if p.get('tied_embeddings') else {'output': (p['vocab_size'], d)})
    for i in range(p['n_layers']):
        at = f'layers.{i}.'
        mlp = {'w1': (ff, d), 'w2': (d, ff), 'w3': (ff, d)}
        shapes |= {at + 'attention.wq': (q, d), at + 'attention.wk': (kv, d), at + 'attention.wv': (kv, d), at + 'attention.wo': (d, q),
                   at + 'attention_norm': (d,), at + 'ffn_norm': (d,)}
        shapes |= {f'{at}feed_forward.experts.{e}.{w}': s for e in range(experts) for w, s in mlp.items()} if experts else \
                  {f'{at}feed_forward.{w}': s for w, s in mlp.items()}
        if experts:
            shapes[at + 'feed_forward.gate'] = (experts, d)
    return {n + '.weight': torch.randn(s).bfloat16() for n, s in shapes.items()} | {n: torch.randn(4).bfloat16() for n in extra}


def write(name, p, t, shards=1, index=True):
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    json.dump(p, open(os.path.join(path, 'params.json'), 'w'), indent=1)
    names, where = sorted(t), {}
    for i in range(shards):
        part = names[i * len(names) // shards:(i + 1) * len(names) // shards]
        file = f'consolidated-{i + 1:05d}-of-{shards:05d}.safetensors' if shards > 1 else 'consolidated.safetensors'
        save_file({n: t[n] for n in part}, os.path.join(path, file))
        where |= dict.fromkeys(part, file)
    if shards > 1 and index:
        json.dump({'metadata': {}, 'weight_map': where}, open(os.path.join(path, 'consolidated.safetensors.index.json'), 'w'))


def halves(w, heads):
    return w.view(heads, w.shape[0] // heads // 2, 2, w.shape[1]).transpose(1, 2).reshape(w.shape).contiguous()


def write_mixtral_of_transformers(path, p, t):
    layer = {'attention.wq': 'self_attn.q_proj', 'attention.wk': 'self_attn.k_proj', 'attention.wv': 'self_attn.v_proj',
             'attention.wo': 'self_attn.o_proj', 'attention_norm': 'input_layernorm', 'ffn_norm': 'post_attention_layernorm',
             'feed_forward.': 'block_sparse_moe.'}
    names = {'tok_embeddings.': 'model.embed_tokens.', 'output.': 'lm_head.', 'norm.': 'model.norm.'}
    out = {}
    for n, w in t.items():
        new = 'model.' + n if n.startswith('layers.') else n
        for a, b in layer.items() if n.startswith('layers.') else names.items():
            new = new.replace(a, b)
        heads = {'attention.wq.weight': p['n_heads'], 'attention.wk.weight': p['n_kv_heads']}.get(n.split('.', 2)[-1])
        out[new] = halves(w, heads) if heads else w
    os.makedirs(path)
    save_file(out, os.path.join(path, 'model.safetensors'))
    json.dump(dict(architectures=['MixtralForCausalLM'], model_type='mixtral', num_hidden_layers=2, hidden_size=p['dim'],
                   intermediate_size=p['hidden_dim'], num_attention_heads=2, num_key_value_heads=1, head_dim=6, rms_norm_eps=1e-5,
                   vocab_size=6, max_position_embeddings=p['max_position_embeddings'], rope_theta=p['rope_theta'],
                   num_local_experts=p['moe']['num_experts'], num_experts_per_tok=2), open(os.path.join(path, 'config.json'), 'w'))


def convert(path, name, *more):
    sys.argv = ['convert_hf_to_gguf.py', path, '--outfile', os.path.join(OUT, name + '.gguf'), '--outtype', 'f32', *more]
    runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')


def silence_vocabulary():
    """The number of tokens comes with the vocabulary then; here it comes where it does for transformers' models."""
    import conversion.llama, conversion.mistral
    keys = conversion.llama.LlamaModel.set_gguf_parameters

    def with_size(self):
        native, self.is_mistral_format = self.is_mistral_format, False
        keys(self)
        self.is_mistral_format = native
    conversion.llama.LlamaModel.set_gguf_parameters = with_size
    conversion.llama.LlamaModel.set_vocab = lambda self: None


def build_models():
    silence_vocabulary()
    dense = SIZES | dict(max_position_embeddings=96, rope_theta=5e5, sliding_window=16)
    write('dense', dense, weights(dense), shards=3, index=False)
    vision = SIZES | dict(max_position_embeddings=80, rope_theta=1e6, tied_embeddings=True, moe=None, q_lora_rank=None, quantization=None,
                          yarn=dict(original_max_position_embeddings=20, factor=4, apply_scale=False, beta=24, alpha=2),
                          llama_4_scaling=dict(original_max_position_embeddings=20, beta=0.2),
                          vision_encoder=dict(hidden_size=4, image_token_id=10, num_channels=3))
    write('vision', vision, weights(vision, extra=('vision_encoder.ln_pre.weight', 'vision_language_adapter.w_in.bias',
                                                   'patch_merger.merging_layer.weight', 'pre_mm_projector_norm.weight')), shards=2)
    words = SIZES | dict(vocab_size=410, rope_theta=1e6)        # goes with the tekken.json below; no reference: a reader would refuse it
    write('words', words, weights(words))
    experts = SIZES | dict(max_position_embeddings=64, rope_theta=1e6, moe=dict(num_experts_per_tok=2, num_experts=3))
    t = weights(experts, experts=3)
    write('experts', experts, t)
    for name in ('dense', 'vision'):
        convert(os.path.join(OUT, name), name, '--mistral-format')
    write_mixtral_of_transformers(os.path.join(OUT, 'tmp', 'experts'), experts, t)
    convert(os.path.join(OUT, 'tmp', 'experts'), 'experts')
    shutil.rmtree(os.path.join(OUT, 'tmp'))


# ---- vocabularies ----
PATTERN = ("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|[^\\r\\n\\p{L}\\p{N}]?"
           "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+"
           "|\\s+(?!\\S)|\\s+")
WORDS = 'The the Hen hen eggs yard in was before breakfast nobody surprised quick unbelievable returnValue size HTTPServer'.split()
ODD = ["'s", '123', '  ', '   ', '\n', '\r\n', '\t', '<s>', '[INST]', 'é', 'é', '中文', 'かな', '🐔', '...', '=====', '//\n', 'ß']


def text(seed):
    r = random.Random(seed)
    return ''.join(r.choice([' ', '', ' ', '\n']) + r.choice(WORDS if r.random() < .6 else ODD) for _ in range(r.randint(1, 12)))


LINES = [text(i) for i in range(2000)]
TEXTS = ['', ' ', 'a', '   three before', 'after   ', '\n\n\r\n'] + [text(10000 + i) for i in range(60)]


def ranks(pieces):
    words = collections.Counter(tuple(bytes([b]) for b in w.encode()) for line in LINES for w in regex.findall(PATTERN, line))
    out = [bytes([i]) for i in range(256)]
    while len(out) < pieces:
        pairs = collections.Counter()
        for w, n in words.items():
            for pair in zip(w, w[1:]):
                pairs[pair] += n
        best = min(pairs, key=lambda p: (-pairs[p], p))
        joined, words = collections.Counter(), words
        for w, n in words.items():
            new = []
            for piece in w:
                if new and (new[-1], piece) == best:
                    new[-1] += piece
                else:
                    new.append(piece)
            joined[tuple(new)] += n
        words = joined
        if best[0] + best[1] not in out:
            out.append(best[0] + best[1])
    return out


def folder(name):
    path = os.path.join('tests/golden/tokenizer', name)
    shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path)
    return path


def cases(path, encode):
    with open(os.path.join(path, 'cases.json'), 'w', encoding='utf-8') as f:
        json.dump([dict(text=t, ids=encode(t)) for t in TEXTS], f, ensure_ascii=False, indent=0)
        f.write('\n')


def string(b):
    try:
        return b.decode()
    except UnicodeDecodeError:
        return None


def build_tekken():
    from mistral_common.tokens.tokenizers.tekken import Tekkenizer
    path, pieces = folder('tekken'), ranks(420)
    names = ['<unk>', '<s>', '</s>', '[INST]', '[/INST]', '<pad>']
    json.dump(dict(config=dict(pattern=PATTERN, num_vocab_tokens=420, default_vocab_size=410, default_num_special_tokens=10, version='v7'),
                   vocab=[dict(rank=i, token_bytes=base64.b64encode(b).decode(), token_str=string(b)) for i, b in enumerate(pieces)],
                   special_tokens=[dict(rank=i, token_str=n, is_control=True) for i, n in enumerate(names)],
                   image=dict(image_patch_size=14, max_image_size=1540)),
              open(os.path.join(path, 'tekken.json'), 'w'), indent=0)
    t = Tekkenizer.from_file(os.path.join(path, 'tekken.json'))
    cases(path, lambda s: t.encode(s, bos=False, eos=False))


def build_pair():
    path = folder('pair')
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
    t.train_from_iterator([l.replace('<s>', '') for l in LINES],
                          trainers.BpeTrainer(vocab_size=420, special_tokens=['<|endoftext|>'], initial_alphabet=pre.ByteLevel.alphabet()))
    t.model.save(path)
    cases(path, lambda s: t.encode(s).ids)


sys.path.insert(0, CPP)
os.makedirs(OUT, exist_ok=True)
build_tekken()
build_pair()
build_models()
