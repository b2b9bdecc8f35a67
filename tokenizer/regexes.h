/* regexes.h - private to tokenizer/: the patterns that many tokenizers share, as their tokenizer.json spells them. */
#ifndef BANTAM_REGEXES_H
#define BANTAM_REGEXES_H

#define REGEX_GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define REGEX_DIGIT "\\p{N}"
#define REGEX_PUNCTUATION "[\\p{P}!-/:-@\\[-`{-~]"

#endif
