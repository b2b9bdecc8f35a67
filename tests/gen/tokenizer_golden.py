#!/usr/bin/env python3
"""Small tokenizers, trained here, and the ids that their own libraries give: tests/golden/tokenizer/NAME/.

Needs the packages tokenizers and sentencepiece. Run from the repository root; the output depends on their versions only.
cases.json: [{"text", "ids"}], special tokens not parsed, none added. Texts hold no U+0000 and are valid Unicode.
"""
import json, os, random, shutil

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers as pre, trainers

OUT = 'tests/golden/tokenizer'
LLAMA3 = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+"
          "|\\s+(?!\\S)|\\s+")
WORDS = ('the of and hen eggs yard in was before breakfast nobody surprised quick quickly unbelievable return size count for '
         'while if else int char float value weight model token text line space number').split()
BLOCKS = [(0x21, 0x7e), (0xa1, 0x17f), (0x300, 0x345), (0x391, 0x3c9), (0x410, 0x44f), (0x5d0, 0x5ea), (0x621, 0x64a), (0x905, 0x939),
          (0xe01, 0xe2e), (0x2010, 0x2030), (0x2460, 0x2473), (0x3041, 0x30ff), (0x4e00, 0x4e40), (0xac00, 0xac40), (0xff01, 0xff5e),
          (0x1f600, 0x1f640), (0x1d400, 0x1d440)]
ODD = ["'s", "'RE", "I'll", '123', '12345', '  ', '   ', '\n', '\r\n', '\n\n', '\t', '\u00a0', '\u3000', '\u0085', '\u180e', '\u200b',
       '<s>', '</s>', '<unk>', '\u2581', 'cafe\u0301', 'caf\u00e9', '\ufb01', '\u0130', '\u017f', 'foo', 'foobar', ' foo ', '<lst>', ' <lst> ',
       '<rst>', ' <rst>  ', 'the hen', '...', '!!!!', '=====', 'x\u00b2']


def text(r):
    out = []
    for _ in range(r.randint(1, 9)):
        k = r.random()
        if k < .45: out += [r.choice(WORDS), r.choice([' ', ' ', '', '  ', '\n'])]
        elif k < .65: out.append(''.join(chr(r.randint(*r.choice(BLOCKS))) for _ in range(r.randint(1, 4))))
        elif k < .93: out.append(r.choice(ODD))
        else: out.append(r.choice(' aa1!\n') * r.randint(2, 40))
    return ''.join(out)


LINES = [text(random.Random(i)).replace('<unk>', '').replace('s>', '') for i in range(3000)]      # no merge may make a special piece
TEXTS = ['', ' ', 'a', '   three before', 'after   ', '\n\n\r\n'] + [text(random.Random(10000 + i)) for i in range(60)]


def write(name, encode, config=None):
    d = os.path.join(OUT, name)
    with open(os.path.join(d, 'cases.json'), 'w', encoding='utf-8') as f:
        json.dump([dict(text=t, ids=encode(t)) for t in TEXTS], f, ensure_ascii=False, indent=0)
        f.write('\n')
    if config:
        json.dump(config, open(os.path.join(d, 'tokenizer_config.json'), 'w'))


def folder(name):
    d = os.path.join(OUT, name)
    shutil.rmtree(d, ignore_errors=True)
    os.makedirs(d)
    return d


def hf(name, t, config=None, change=None):
    d = folder(name)
    j = json.loads(t.to_str())
    if change:
        change(j)
    json.dump(j, open(os.path.join(d, 'tokenizer.json'), 'w', encoding='utf-8'), ensure_ascii=False, indent=0)
    t = Tokenizer.from_file(os.path.join(d, 'tokenizer.json'))
    t.encode_special_tokens = True
    write(name, lambda s: t.encode(s, add_special_tokens=False).ids, config)


def byte_level(size, normalizer, splitter, **kw):
    t = Tokenizer(models.BPE(**kw))
    t.normalizer, t.pre_tokenizer, t.decoder = normalizer, splitter, decoders.ByteLevel()
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre.ByteLevel.alphabet(), show_progress=False,
                                                     special_tokens=['<|endoftext|>']))
    return t


def llama2_like(splitter, normalizer):
    t = Tokenizer(models.BPE(byte_fallback=True, fuse_unk=True, unk_token='<unk>'))
    t.normalizer, t.pre_tokenizer = normalizer, splitter
    t.decoder = decoders.Sequence([decoders.Replace('\u2581', ' '), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(' ', 1, 0)])
    t.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=620, limit_alphabet=90, show_progress=False,
                          special_tokens=['<unk>', '<s>', '</s>'] + ['<0x%02X>' % i for i in range(256)]))
    return t


def only_three_special(j):
    j['added_tokens'] = [a for a in j['added_tokens'] if a['id'] < 3]


def merges_as_strings(j):
    j['model']['merges'] = [' '.join(m) for m in j['model']['merges']]


def spm(name, **kw):
    d = folder(name)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(x.replace('\n', ' ') for x in LINES), model_prefix=d + '/tokenizer',
                                             minloglevel=2, vocab_size=1100, character_coverage=.98, hard_vocab_limit=False, **kw)
    os.remove(d + '/tokenizer.vocab')
    write(name, sentencepiece.SentencePieceProcessor(model_file=d + '/tokenizer.model').encode)


t = byte_level(450, None, pre.Sequence([pre.Split(Regex(LLAMA3), 'isolated'), pre.ByteLevel(add_prefix_space=False, use_regex=False)]))
t.add_tokens([AddedToken('foo', single_word=True), AddedToken('<lst>', lstrip=True), AddedToken('<rst>', rstrip=True),
              AddedToken('the hen'), AddedToken('\n\n', normalized=False)])
hf('llama3-added', t, dict(bos_token='<|endoftext|>', eos_token={'content': '<|endoftext|>', 'special': True}))
hf('gpt2-nfc', byte_level(420, normalizers.NFC(), pre.ByteLevel(add_prefix_space=False)), change=merges_as_strings)
hf('starcoder', byte_level(400, None, pre.Sequence([pre.Digits(individual_digits=True), pre.ByteLevel(add_prefix_space=False)])))
hf('llama2-json', llama2_like(None, normalizers.Sequence([normalizers.Prepend('\u2581'), normalizers.Replace(' ', '\u2581')])),
   dict(bos_token='<s>', eos_token='</s>', unk_token='<unk>'), only_three_special)
hf('metaspace-first', llama2_like(pre.Metaspace(prepend_scheme='first', split=False), None),
   dict(bos_token='<s>', eos_token='</s>', unk_token='<unk>'), only_three_special)
spm('spm-bpe', model_type='bpe', byte_fallback=True, normalization_rule_name='identity', remove_extra_whitespaces=False)
spm('spm-user', model_type='bpe', byte_fallback=True, user_defined_symbols=['foo', 'the hen', '<lst>', '12345'],
    control_symbols=['<ctl>'], normalization_rule_name='identity')
spm('spm-unigram', model_type='unigram', byte_fallback=True)
spm('spm-chat', model_type='bpe', byte_fallback=True, user_defined_symbols=['<|im_start|>', '<|im_end|>', '12345'],
    normalization_rule_name='identity', remove_extra_whitespaces=False)
