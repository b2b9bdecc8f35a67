/* meta_word.h - KEY=TYPE:VALUE on the command line. */
#ifndef BANTAM_META_WORD_H
#define BANTAM_META_WORD_H

#include "formats/fail.h"
#include "formats/meta.h"

/* Sets what `word` says: TYPE is u8 .. u64, i8 .. i64, f32, f64, bool, str, or file: the text of the file that VALUE names.
 * FAIL_USAGE: it says nothing, or what does not fit. */
int meta_word_set(struct meta *, struct arena *, const char *word, struct fail *);

#endif
