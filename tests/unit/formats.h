/* formats.h - what the tests of the readers share: where the files are, and walking over a model's rows. */
#ifndef BANTAM_TEST_FORMATS_H
#define BANTAM_TEST_FORMATS_H

#include "formats/model.h"

/* tests/golden/NAME or tests/bad/NAME, wherever the test runs; in `a`. */
char *golden_path(struct arena *a, const char *name);
char *bad_path(struct arena *a, const char *name);

/* tests/golden/NAME as a model; NULL: told as a failed test. */
struct model *open_golden(const char *name);

/* Writes n bytes to a file in memory and returns a path under which it can be opened; *fd is to be closed. */
char *memory_file(struct arena *a, const void *bytes, size_t n, int *fd);

/* Decodes every row of every tensor and adds the weights up, so that a sanitizer sees each byte touched. */
double sum_of_rows(struct model *);

/* Weight k of `name` is (k mod 7) - 3, as tests/gen/formats.py writes them; tells and returns false otherwise. */
bool has_weights(struct model *, const char *name, const char *type, uint64_t n);
bool has_tensors(struct model *);       /* the seven of tests/golden/formats/types.gguf */

#endif
