/* write.h - copy rows, journal chunks: the only parallel loop of a conversion. */
#ifndef BANTAM_WRITE_H
#define BANTAM_WRITE_H

#include "formats/model.h"

/* Called from one thread at a time, a few times a second. */
struct progress {
    void (*fn)(void *ctx, uint64_t done, uint64_t total);      /* bytes of output */
    void *ctx;
};

struct write_options {
    bool force;                         /* replace an existing OUT (atomically, at the end) */
    bool over_source;                   /* OUT may be a file of the model that is read: its own rewrite (edit.h) */
    const struct plan_extra *extra;     /* small files for an output directory: config.json, tokenizer.json ... */
    size_t nextra;
    uint64_t salt;                      /* digest of what else decides the bytes: importance matrix, LoRA; 0: nothing */
    struct progress progress;
};

struct plan_extra {
    const char *name;                   /* relative to the output directory; may lie in a folder there, which is made */
    const void *bytes;
    size_t n;
};

struct write_result {
    uint64_t nbytes, resumed_nbytes;    /* written in all; of these, found complete from an earlier run */
    size_t nfiles;
    double seconds;
};

/* Writes the files of the model's plan, plan->out being OUT: OUT.part (OUT-00001-of-0000N.gguf.part ... when split), with a journal OUT.part.journal of {chunk, XXH3 of its
 * bytes}; syncs; renames; removes the journal. The journal starts with a digest of the plan, of the sources' sizes and
 * times and of `salt`: the same command again verifies and keeps the chunks it lists, another command starts anew. Bytes
 * do not depend on the number of threads. On failure only .part and journal remain (not even those after FAIL_INPUT, which
 * would only repeat itself), and the lowest chunk's failure is told.
 * FAIL_USAGE: OUT exists and `force` is not set; OUT.part exists and is not ours. FAIL_SYSTEM: space, permission, another
 * run writing the same OUT. An existing OUT that is no regular file (/dev/full) is written in place, without a journal.
 *
 * For tests, BANTAM_TEST_KILL=POINT:N in the environment raises SIGKILL at the N-th time (from 1) this process reaches
 * POINT: plan, chunk (written, not yet in the journal), journal (half a record), record, head, commit, rename, done. */
int model_write(struct model *, const struct plan *, const struct write_options *, struct write_result *, struct fail *);

#endif
