/* card.h - the YAML front matter of a model card (README.md), read with libyaml. */
#ifndef BANTAM_CARD_H
#define BANTAM_CARD_H

#include "formats/json.h"

/* The front matter of `path` as a tree of objects, lists, strings and nulls: scalars keep the characters they are written
 * with (`no` is the Norwegian language, `1.0` a version), only plain `null`, `~` and nothing are null. It begins with the first
 * line that is not blank (a byte-order mark does not count) and ends within the first 2 MB; what follows is never read. NULL: no
 * file, no front matter or one that is no mapping; malformed YAML is FAIL_INPUT with its line. The tree is deleted with the
 * arena. */
cJSON *card_read(const char *path, struct arena *, struct fail *);

/* A whole YAML file of at most 2 MB, in the same way. */
cJSON *yaml_read(const char *path, struct arena *, struct fail *);

#endif
