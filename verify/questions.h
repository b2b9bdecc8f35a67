/* questions.h - multiple-choice questions from files: MMLU's published CSV, and JSONL.
 *
 * CSV: no header line (one that reads question, ..., answer is skipped); question, the options, the letter of the right one; as many
 * options in every row. The subject is the file's name without _test, _dev or _val. JSONL: "question", "choices" (a list),
 * "answer" (a letter, or a number counted from 0, perhaps as a string), and "subject" if the file's name is not it. Both may be gzip files.
 *
 * A directory is MMLU's: test/ in it if there is one, otherwise its own files; of those the ones for tests rather than _val, and
 * _dev last. Beside each file, in dev/ here or one level up, lie the worked examples (shots): NAME_dev.csv for NAME_test.csv. */
#ifndef BANTAM_QUESTIONS_H
#define BANTAM_QUESTIONS_H

#include "formats/arena.h"
#include "formats/fail.h"
#include "formats/index.h"

#include <stddef.h>

enum { CHOICES_LEAST = 2, CHOICES_MOST = 26 };

struct question {
    const char *text;
    const char *const *choice;          /* nchoices */
    size_t nchoices, answer;
    size_t subject;                     /* index into questions.subject */
    const char *file;
    size_t line;                        /* where it starts there */
};

struct question_list {
    struct question *item;
    size_t n, cap;
};

struct subject {
    const char *name;                   /* as the files spell it: high_school_physics */
    struct question_list shots;
    size_t n;                           /* its questions */
};

struct questions {
    struct question_list list;          /* subject after subject within a file, in the files' order */
    struct subject *subject;
    size_t nsubjects, cap;
    struct name_index names;
};

/* Reads a file or a directory into an empty *q; everything hangs on `a`. FAIL_INPUT names file and line, or the directory. */
int questions_read(struct questions *q, const char *path, struct arena *a, struct fail *f);

#endif
