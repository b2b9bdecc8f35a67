/* chat.h - which conversation format a model's chat template writes, and the same as Ollama's Go template with its stop words.
 *
 * A format is a row of facts: what stands before and behind the turns of each role. Recognized by marks in the Jinja template
 * that came with the model (tokenizer.chat_template); a format that is not in the table is not guessed. */
#ifndef BANTAM_CHAT_H
#define BANTAM_CHAT_H

#include "formats/meta.h"

enum { CHAT_STOPS = 4, CHAT_MARKS = 3 };

struct chat_format {
    const char *name;                       /* "chatml" */
    const char *mark[CHAT_MARKS];           /* all of these occur in the Jinja template; NULL-terminated when fewer */
    const char *system[2], *user[2], *assistant[2];     /* before and behind; "%E" is the text of the end-of-sequence token */
    const char *ask;                        /* what makes the model answer */
    const char *stop[CHAT_STOPS];
    bool system_in_user;                    /* the system text opens the first user turn */
};

/* By the model's metadata; NULL: it has no chat template, or one of an unknown format. */
const struct chat_format *chat_format_of(const struct meta *);

/* Ollama's template (Go text/template over .Messages). In `a`. */
char *chat_go_template(const struct chat_format *, const struct meta *, struct arena *a);

/* Stop word i as the model spells it; NULL: no more. */
const char *chat_stop(const struct chat_format *, const struct meta *, size_t i, struct arena *a);

#endif
