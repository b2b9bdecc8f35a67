#!/usr/bin/env python3
"""Tiny encoders in sentence-transformers' layout, what llama.cpp's convert_hf_to_gguf.py makes of them, and transformers' vectors.

usage: encoders.py LLAMA_CPP_DIR [NAME...]    (needs torch, transformers, tokenizers, sentencepiece, safetensors, gguf)
Writes tests/golden/encoder/NAME/..., NAME.gguf (--outtype f32), NAME.ids (token ids, a text a line), NAME.vectors (float32, a text a row: pooled
and of length 1) and NAME.hidden (float32: the last layer of the first text). All of texts.txt, a text a line."""
import importlib, json, os, runpy, shutil, sys, tempfile

import numpy as np
import sentencepiece
import torch
import transformers as T
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

CPP = os.path.abspath(sys.argv[1])
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'golden', 'encoder')
TEXTS = ['The hen laid an egg before breakfast.', 'Eggs, hens & yards', '', 'Un œuf à déjeuner — ÉTÉ!', '鸡在院子里 laid 3 eggs', 'x' * 120,
         'breakfast ' * 30, 'nobody\tin the\u00a0yard was [MASK] surprised?', 'Äußerst', '!']
SPECIAL = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]']
ROBERTA = ['<pad>', '<unk>', '<s>', '</s>', '<mask>']


def wordpiece(lowercase):
    t = Tokenizer(models.WordPiece(unk_token='[UNK]'))
    t.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.train_from_iterator([x for x in TEXTS if len(x) < 100], trainers.WordPieceTrainer(vocab_size=110, special_tokens=SPECIAL, show_progress=False))
    t.post_processor = processors.TemplateProcessing(single='[CLS] $A [SEP]', pair='[CLS] $A [SEP] $B:1 [SEP]:1',
                                                     special_tokens=[(x, t.token_to_id(x)) for x in ('[CLS]', '[SEP]')])
    return t


def byte_level():
    t = Tokenizer(models.BPE())
    t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=285, special_tokens=['<s>', '<pad>', '</s>', '<unk>', '<mask>'], show_progress=False,
                                                     initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    t.post_processor = processors.RobertaProcessing(('</s>', 2), ('<s>', 0), add_prefix_space=False)
    return t


def unigram(path):
    """XLM-RoBERTa's, with a small table of characters; tokenizer.json is what transformers makes of the model."""
    table = {9: 32, 10: 32, 13: 32, 0xa0: 32, 0x3000: 32, 0x200b: 32, 0x85: 32, 0x2028: 32, 0xff21: 65, 0x153: 'oe', 0xfb01: 'fi', 0x2014: '-'}
    with tempfile.TemporaryDirectory() as tmp:
        with open(tmp + '/rules.tsv', 'w') as fh:
            fh.writelines(f"{a:X}\t{' '.join(f'{ord(c):X}' for c in b) if isinstance(b, str) else f'{b:X}'}\n" for a, b in table.items())
        open(tmp + '/text', 'w').write('\n'.join(x for x in TEXTS if x) + '\n')
        sentencepiece.SentencePieceTrainer.train(input=tmp + '/text', model_prefix=tmp + '/sp', vocab_size=60, model_type='unigram', minloglevel=2,
                                                 normalization_rule_tsv=tmp + '/rules.tsv', unk_id=0, bos_id=1, eos_id=2, pad_id=-1)
        shutil.copy(tmp + '/sp.model', path + '/sentencepiece.bpe.model')
    t = T.XLMRobertaTokenizer.from_pretrained(path, model_max_length=24)
    assert len(t) == 62
    t.save_pretrained(path)


def rename(path, edit):
    file = os.path.join(path, 'model.safetensors')
    save_file({edit(k): v.contiguous() for k, v in load_file(file).items()}, file, metadata={'format': 'pt'})


def tensorflow_names(k):
    return k.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')


def layout(path, pooling, longest):
    os.makedirs(path + '/1_Pooling')
    json.dump([{'idx': i, 'name': str(i), 'path': p, 'type': 'sentence_transformers.models.' + t} for i, (p, t) in
               enumerate([('', 'Transformer'), ('1_Pooling', 'Pooling'), ('2_Normalize', 'Normalize')])], open(path + '/modules.json', 'w'))
    json.dump({'word_embedding_dimension': 16, 'pooling_mode_cls_token': pooling == 'cls', 'pooling_mode_mean_tokens': pooling == 'mean'},
              open(path + '/1_Pooling/config.json', 'w'))
    if longest:
        json.dump({'max_seq_length': longest, 'do_lower_case': False}, open(path + '/sentence_bert_config.json', 'w'))


def save_tokenizer(path, t, lowercase, files):
    roberta = t.token_to_id('<s>') == 0
    names = dict(zip(('pad_token', 'unk_token', 'cls_token', 'sep_token', 'mask_token'), ROBERTA if roberta else SPECIAL))
    if roberta:
        names |= {'bos_token': '<s>', 'eos_token': '</s>'}
    if 'json' in files:
        json.dump(json.loads(t.to_str()), open(path + '/tokenizer.json', 'w'), ensure_ascii=False, indent=0)
    else:
        pieces = sorted(t.get_vocab(), key=t.get_vocab().get)
        open(path + '/vocab.txt', 'w').write('\n'.join(pieces) + '\n')
    json.dump({'do_lower_case': lowercase, 'tokenizer_class': 'RobertaTokenizer' if roberta else 'BertTokenizer', 'model_max_length': 24, **names}, open(path + '/tokenizer_config.json', 'w'))


SMALL = dict(hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24, max_position_embeddings=24, pad_token_id=0)
XLM = SMALL | dict(output_past=True, max_position_embeddings=26, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2)
# name: class, settings, dtype, lower case, tokenizer file, pooling, longest, shard size, edit of tensor names
MODELS = {
    'mean': ('BertModel', SMALL, torch.float32, True, 'json', 'mean', 12, None, None),
    'cls': ('BertForMaskedLM', SMALL | dict(num_attention_heads=2, type_vocab_size=1, layer_norm_eps=1e-5), torch.float16, False, 'txt', 'cls', None,
            None, tensorflow_names),
    'classifier': ('BertForSequenceClassification', SMALL | dict(num_hidden_layers=3, intermediate_size=40, hidden_act='gelu_new',
                   id2label={0: 'good', 1: 'bad', 2: 'other'}, label2id={'good': 0, 'bad': 1, 'other': 2}), torch.bfloat16, True, 'json', None, None,
                   '6KB', None),
    'distil': ('DistilBertForMaskedLM', dict(dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=24), torch.float32, True, 'json', 'mean',
               None, None, None),
    'roberta': ('RobertaModel', SMALL | dict(max_position_embeddings=26, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2),
                torch.float16, False, 'json', 'mean', None, None, None),
    'xlm': ('XLMRobertaModel', XLM, torch.float16, False, 'json', 'cls', None, None, None),
    'xlm-spm': ('XLMRobertaForSequenceClassification', XLM | dict(num_labels=1), torch.float32, False, 'spm', None, None, None, None),
}


def make(name, cls, settings, dtype, lowercase, files, pooling, longest, shard, edit):
    path = os.path.join(OUT, name)
    shutil.rmtree(path, ignore_errors=True)
    torch.manual_seed(sum(map(ord, name)))
    t = None if cls.startswith('XLM') else byte_level() if cls.startswith('Roberta') else wordpiece(lowercase)
    m = getattr(T, cls)(getattr(T, cls.split('For')[0].removesuffix('Model') + 'Config')(vocab_size=t.get_vocab_size() + 3 if t else 62, **settings)).to(dtype)
    with torch.no_grad():
        for p in m.parameters():
            p.add_((0.3 * torch.randn(p.shape)).to(dtype))
    m.save_pretrained(path, **({'max_shard_size': shard} if shard else {}))
    if pooling:
        layout(path, pooling, longest)
    if t:
        save_tokenizer(path, t, lowercase, files)
    else:
        unigram(path)
    reference(path, pooling or 'mean', longest or 24)
    if edit:
        rename(path, edit)
    if files == 'spm':          # and nothing else
        for name in ('tokenizer.json', 'tokenizer_config.json'):
            os.remove(os.path.join(path, name))
    convert(path, files)


def reference(path, pooling, longest):
    t = T.AutoTokenizer.from_pretrained(path)
    m = T.AutoModel.from_pretrained(path, dtype=torch.float32, attn_implementation='eager').eval()
    vectors, ids = [], []
    for i, text in enumerate(TEXTS):
        x = t([text], return_tensors='pt', truncation=True, max_length=longest)
        with torch.no_grad():
            h = m(**x).last_hidden_state[0]
        v = h.mean(0) if pooling == 'mean' else h[0]
        vectors.append((v / v.norm()).numpy())
        ids.append(' '.join(map(str, x['input_ids'][0].tolist())))
        if i == 0:
            h.numpy().astype('<f4').tofile(path + '.hidden')
    np.stack(vectors).astype('<f4').tofile(path + '.vectors')
    open(path + '.ids', 'w').write('\n'.join(ids) + '\n')


def convert(path, files):
    arguments = sys.argv
    sys.argv = ['convert_hf_to_gguf.py', path, '--outfile', path + '.gguf', '--outtype', 'f32']
    runpy.run_path(os.path.join(CPP, 'convert_hf_to_gguf.py'), run_name='__main__')
    sys.argv = arguments


sys.path.insert(0, CPP)
base = importlib.import_module('conversion.base')
base.TextModel.get_vocab_base_pre = lambda self, t: 'roberta-bpe' if '<s>' in t.get_vocab() else 'jina-v2-en'       # as for their real vocabularies
os.makedirs(OUT, exist_ok=True)
open(os.path.join(OUT, 'texts.txt'), 'w').write('\n'.join(TEXTS) + '\n')
for name in sys.argv[2:] or list(MODELS):
    make(name, *MODELS[name])
