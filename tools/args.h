/* args.h - the command line as tables: a command is a row, an option is a row; help, man page and shell completion are
 * printed from the same rows, so they cannot drift. */
#ifndef BANTAM_ARGS_H
#define BANTAM_ARGS_H

#include "formats/arena.h"
#include "formats/fail.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct arg_list {
    const char **item;          /* NULL-terminated; NULL: none */
    size_t n;
};

enum progress_when { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* Every value an option can set, for all commands together; absent ones stay zero. Strings point into argv. */
struct args {
    struct arg_list operand;                /* what is not an option: MODEL ... */
    bool json, quiet, verbose, force, help;
    uint64_t threads;
    enum progress_when progress;
    const char *out, *type, *to, *pre_tokenizer, *output_type, *embedding_type, *tensor_types, *imatrix, *prune_layers;
    uint64_t split_size, size;
    double bpw;
    struct arg_list metadata, tensor_type, ignore_key, include_weights, exclude_weights;
    bool pure, dry_run, allow_requantize, leave_output, no_fallback, no_provenance, keep_split, has_size, has_bpw;
    bool tensors, hashes, license, with_license_text, no_license_files;
    const char *license_id, *policy;
    const char *against, *text, *tokens;
    const char *in, *modelfile, *check, *bom;
    bool link, sha256, fingerprint, fast;
    uint64_t context, chunks;
    uint64_t memory;
    bool exact;
    double max_kld, max_ppl_ratio, min_top1, min_choices_agreement;
    bool has_max_kld, has_max_ppl_ratio, has_min_top1, has_min_choices_agreement, has_shots;
    const char *choices;
    uint64_t shots;
    const char *report;
    int argc;                               /* the words as they were given */
    char **argv;
    bool as_files;                          /* --static */
    double min_cosine, min_rank_correlation;
    bool has_min_cosine, has_min_rank_correlation;
    bool no_special, parse_special;
    bool process_output, merge, show;
    uint64_t min_tokens;
    struct arena arena;
};

struct command {
    const char *name;
    const char *operands;                   /* "MODEL", "CANDIDATE", "[COMMAND]" */
    const char *about;                      /* one line */
    const char *detail;                     /* paragraphs for help and the man page */
    const char *const *options;             /* names of the option rows it takes; NULL-terminated */
    size_t min_operands, max_operands;
    int (*run)(struct args *, struct fail *);   /* 0, or -1 with *f filled */
};

extern const struct command *const commands[];      /* NULL-terminated; bantam.c */

/* Fills *a from argv (argv[0] is the program). FAIL_USAGE names the wrong word and the nearest right one. Sets *c to
 * the command, NULL for a bare `bantam`, `--help` or `--version`. */
int args_parse(struct args *a, int argc, char **argv, const struct command **c, struct fail *f);

/* For options that mean nothing beside others: FAIL_USAGE, "--NAME WHY", for the first of `names` (NULL-terminated) that was given. */
int args_refuse(const struct args *, const char *const *names, const char *why, struct fail *f);

void args_print_usage(FILE *, const struct command *);     /* NULL: the overview */
void args_print_man(FILE *, const struct command *);       /* bantam-COMMAND(1); NULL: bantam(1), the overview */
void args_print_completion(FILE *, const char *shell);     /* "bash" or "zsh" */

#endif
