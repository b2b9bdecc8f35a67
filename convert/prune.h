/* prune.h - an adapter: a canonical model without some of its layers. */
#ifndef BANTAM_PRUNE_H
#define BANTAM_PRUNE_H

#include "formats/model.h"

/* What --prune-layers takes: numbers between commas; *layer (of *n) is in `a`. FAIL_USAGE. */
int prune_parse(const char *text, struct arena *a, uint64_t **layer, size_t *n, struct fail *);

/* Takes `inner` over. Tensors of the layers given (any order, repetition is harmless) are left out, those behind them are
 * numbered anew, and the keys follow: the number of layers, arrays with an item per layer, counts of leading or trailing
 * layers, lists of layers. (llama-quantize changes the number of layers only.) *before, if not NULL, receives the name that
 * each tensor had, living as long as the result. FAIL_USAGE: a layer that is not there, all of them, a choice that would
 * break a pattern that repeats every few layers. NULL in, NULL out. */
struct model *model_prune(struct model *inner, const uint64_t *layers, size_t n, const char *const **before, struct fail *);

#endif
