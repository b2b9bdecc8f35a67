/* account.h - where every source tensor and every config key went. A conversion with anything unaccounted for fails. */
#ifndef BANTAM_ACCOUNT_H
#define BANTAM_ACCOUNT_H

#include "formats/arena.h"
#include "formats/fail.h"

enum account_kind { ACCOUNT_TENSOR, ACCOUNT_KEY };
enum account_fate { ACCOUNT_PENDING, ACCOUNT_USED, ACCOUNT_IGNORED };

struct account_entry {
    enum account_kind kind;
    enum account_fate fate;
    const char *name;           /* as the source spells it; nested config keys joined with '.' */
    const char *to;             /* used: the GGUF tensor or key; ignored: why */
    const char *how;            /* "as is", "rows permuted for 32 heads", ...; NULL: nothing to say */
};

struct account {
    struct account_entry *entry;
    size_t n, cap, next;        /* next: private, where to look first */
    struct arena arena;
};

void account_expect(struct account *, enum account_kind, const char *name);
/* Entries under `name` too ("rope_scaling" covers "rope_scaling.factor"). Unknown names are added. */
void account_used(struct account *, enum account_kind, const char *name, const char *to, const char *how);
void account_ignored(struct account *, enum account_kind, const char *name, const char *why);
/* FAIL_INPUT naming the first pending entries and their number; 0 when there are none. */
int account_check(const struct account *, struct fail *);
void account_release(struct account *);

#endif
