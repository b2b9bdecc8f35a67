/* sample.c - see sample.h. Each part aims at something that pre-tokenizers treat in different ways.
 *
 * Strings that may be user-defined pieces stand last and side by side: what text behind them gets, a space in front or
 * none, GGUF cannot say. */
#include "tokenizer/sample.h"

const struct sample_part sample_parts[] = {
    { "plain words", "The bantam hen laid seventeen eggs before breakfast, and nobody in the yard was surprised.\nQuietly, quickly: "
      "unbelievable misunderstandings re-appear in well-known co-operatives." },
    { "contractions", "I'm sure they'll say we've won; he'd rather it weren't so. Y'all can't, don't, won't. 'Tis John's, the dogs' "
      "bowls, I'VE SHOUTED, YOU'RE LATE, it'S mixed, rock 'n' roll, l'eau d'Aix, 're 'll 's'" },
    { "numbers", "0 7 42 365 1024 65535 1000000 1234567890 3.14159 -273.15 1,234,567.89 1e-9 0x7fff 0b1011 2026-11-21T13:45:06Z "
      "v1.2.3 50% $9.99 +49 30 123456 1st 22nd 007 1½ x² ₃ ٣٤٥ १२ Ⅳ ①" },
    { "white space", "one two  three   four    five\t\ttabs \t mixed\nline\n\nparagraph\n\n\nthree\r\nwindows\r\n\r\nagain \n  \n"
      "    indented\n        more   \n trailing   " },
    { "other spaces", "no\302\240break\342\200\211thin\343\200\200wide\342\200\257narrow\342\200\250line\342\200\251paragraph"
      "\342\200\213zero\357\273\277mark\013vertical\014form"  },
    { "punctuation", "Wait... what?! (Yes; [no] {maybe}) -- a/b\\c | d & e @ f # g ~ h ^ i ` j * k_l=m<n>o \"p\" 'q' “r” ‘s’ «t» "
      "… — – ¿que? ¡hola! € £ § ¶ ™ °C !!!!! ----- ===== ***** ,,,,, ;;; :::" },
    { "code", "#include <stdio.h>\nint main(int argc, char **argv)\n{\n\tfor (size_t i = 0; i < n; ++i) {\n\t\tsum += a[i] "
      "* b[i] >> 3;\n\t}\n\treturn sum != 0 ? EXIT_FAILURE : 0;\t/* done */\n}\n\ndef parse_HTTPHeader(self, lineNo=0):\n"
      "    if not self.ok:\n        raise ValueError(f\"{lineNo}: bad\")\n    return {k: v for k, v in x.items()}\n"
      "<div class=\"row\">&nbsp;</div>\nSELECT COUNT(*) FROM t WHERE id='7'; -- camelCaseName SCREAMING_SNAKE kebab-case "
      "XMLHttpRequest2" },
    { "addresses", "https://example.org:8080/a/b.html?q=1&r=%20#top me@mail.example.com C:\\Users\\x\\y.txt ~/src/../.git 192.168.0.1 "
      "::1 {\"key\": [1, -2.5, true, null, \"\\u00e9\"]}" },
    { "European languages", "Äpfel über Straßen, garçon déjà vu, Żółć gęślą, český kůň, søde æbler, İstanbul ışık, Το φως του ήλιου, Быстрая "
      "курица, їжак, ինչ է, აქ არის" },
    { "Asian languages", "鸡在院子里，已经下了17个蛋。 これはテストです！ｶﾅ 닭이 알을 낳았다. ไก่ออกไข่ មាន់ con gà đẻ trứng བོད་" },
    { "Indic and Semitic scripts", "मुर्गी ने अंडा दिया। கோழி মুরগি الدجاجة بَاضَتْ، ایہ ۔ התרנגולת ה\326\264ט\326\264יל\326\270ה ዶሮ" },
    { "combining marks", "cafe\314\201 nai\314\210ve A\314\212ngstro\314\210m Z\314\215\314\223\314\201lgo o\314\202\314\243 ﬁn ﬄ ＡＢＣ "
      "𝔸𝕓 ǆ ſ K" },
    { "emoji", "🐔🥚 ✅ ❤️ 👍\360\237\217\275 👩\342\200\215👩\342\200\215👧\342\200\215👦 😶\342\200\215🌫️ 🇧🇷🇩🇪 3️\342\203\243 → ≤ ∞ █▁ "
      "🫠" },
    { "special-looking strings", "<s><unk><pad>[CLS][MASK][INST]hi[/INST]<|endoftext|><|im_start|>user<|im_end|><0x0A><|eot_id|><<SYS>> "
      "### System:[PAD7]<bos><eos> <think></think></s>" },
    { "runs and breaks", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa ababababababab thethethethe         "
      "......................................\n"
      "Pneumonoultramicroscopicsilicovolcanoconiosis Donaudampfschifffahrtsgesellschaft \001\002\177 中English文12混3合" },
    { "one space", " " },
    { "leading spaces", "   three before" },
    { "line breaks only", "\n\n\n\r\n" },
};

const size_t sample_parts_n = sizeof sample_parts / sizeof *sample_parts;
