/* questions.c - see questions.h. */
#include "verify/questions.h"

#include "formats/csv.h"
#include "formats/file.h"
#include "formats/gzip.h"
#include "formats/lines.h"
#include "formats/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FILE_LIMIT = 256 << 20, FILES_MOST = 10000, SHOWN = 40 };

struct reader {
    struct questions *q;
    bool shots;                 /* questions go to their subject's shots */
    const char *path, *subject; /* of the file that is read */
    struct arena *arena;
};

/* What the files that belong together are told apart by: NAME_test.csv, NAME_dev.csv. */
static const char *const parts[] = { "_test", "_val", "_dev" };
enum { NPARTS = sizeof parts / sizeof *parts, VAL = 1, DEV = 2 };

static const char *const endings[] = { ".csv", ".jsonl", ".csv.gz", ".jsonl.gz" };
enum { NENDINGS = sizeof endings / sizeof *endings };

/* ---- names ---- */

/* NULL: no name of a file of questions. */
static const char *ending_of(const char *name)
{
    for (size_t i = 0; i < NENDINGS; i++)
        if (ends_with(name, endings[i]))
            return endings[i];
    return NULL;
}

/* `name` without its ending; *part: which of `parts` it ends with, which is cut off too, or NPARTS. */
static char *stem_of(const char *name, size_t *part, struct arena *a)
{
    const char *ending = ending_of(name);
    char *stem = arena_copy(a, name, strlen(name) - (ending ? strlen(ending) : 0));

    for (*part = 0; *part < NPARTS; ++*part)
        if (ends_with(stem, parts[*part]) && strlen(stem) > strlen(parts[*part])) {
            stem[strlen(stem) - strlen(parts[*part])] = '\0';
            break;
        }
    return stem;
}

/* ---- one question ---- */

static size_t subject_named(struct questions *q, const char *name, struct arena *a)
{
    int64_t at = name_index_find(&q->names, name);

    if (at >= 0)
        return (size_t)at;
    name_index_add(&q->names, a, name);
    q->subject = arena_grow(a, q->subject, &q->cap, q->nsubjects + 1, sizeof *q->subject);
    q->subject[q->nsubjects] = (struct subject){ .name = name };
    return q->nsubjects++;
}

static void add(struct reader *r, struct question question, const char *subject)
{
    size_t at = subject_named(r->q, subject, r->arena);
    struct question_list *list = r->shots ? &r->q->subject[at].shots : &r->q->list;

    question.subject = at;
    question.file = r->path;
    list->item = arena_grow(r->arena, list->item, &list->cap, list->n + 1, sizeof *list->item);
    list->item[list->n++] = question;
    r->q->subject[at].n += !r->shots;
}

/* A letter of either case among the first n; -1: it is none. Blanks around it do not count. */
static int letter_of(const char *text, size_t n)
{
    char c;

    text += strspn(text, " \t");
    c = (char)(*text & ~0x20);
    if (!*text || text[1 + strspn(text + 1, " \t")])
        return -1;
    return c >= 'A' && c < 'A' + (int)n ? c - 'A' : -1;
}

static int no_answer(size_t line, const char *answer, size_t n, struct fail *f)
{
    return fail(f, FAIL_INPUT, "line %zu: the answer '%.*s' is not among A to %c", line, SHOWN, answer, (char)('A' + n - 1));
}

static int check_question(const struct question *q, struct fail *f)
{
    if (q->nchoices < CHOICES_LEAST || q->nchoices > CHOICES_MOST)
        return fail(f, FAIL_INPUT, "line %zu: %zu choices, where %d to %d are possible", q->line, q->nchoices, CHOICES_LEAST, CHOICES_MOST);
    return *q->text ? 0 : fail(f, FAIL_INPUT, "line %zu: the question is empty", q->line);
}

/* ---- CSV ---- */

static bool is_header(const struct csv_row *row)
{
    return row->n > 2 && strcasecmp(row->field[0], "question") == 0 && strcasecmp(row->field[row->n - 1], "answer") == 0;
}

static int add_row(struct reader *r, const struct csv_row *row, size_t columns, struct fail *f)
{
    struct question q = { .line = row->line, .text = row->field[0] };
    int answer;

    if (row->n != columns)
        return fail(f, FAIL_INPUT, "line %zu: %zu columns, the rows before have %zu", row->line, row->n, columns),
               fail_hint(f, "a field with a comma in it must stand in double quotes");
    if (row->n < 2 + CHOICES_LEAST || row->n > 2 + CHOICES_MOST)
        return fail(f, FAIL_INPUT, "line %zu: %zu columns, where a question, %d to %d options and the right one's letter are wanted",
                    row->line, row->n, CHOICES_LEAST, CHOICES_MOST);
    q.nchoices = row->n - 2;
    q.choice = row->field + 1;
    answer = letter_of(row->field[row->n - 1], q.nchoices);
    if (answer < 0)
        return no_answer(row->line, row->field[row->n - 1], q.nchoices, f);
    q.answer = (size_t)answer;
    if (check_question(&q, f) != 0)
        return -1;
    add(r, q, r->subject);
    return 0;
}

static int read_csv(struct reader *r, const char *text, size_t n, struct fail *f)
{
    struct csv csv;
    struct csv_row row;
    size_t columns = 0;
    int more = csv_open(&csv, text, n, r->arena, f) == 0 ? csv_next(&csv, &row, f) : -1;

    if (more > 0 && is_header(&row))
        more = csv_next(&csv, &row, f);
    for (; more > 0; more = csv_next(&csv, &row, f)) {
        columns = columns ? columns : row.n;
        if (add_row(r, &row, columns, f) != 0)
            return -1;
    }
    return more;
}

/* ---- JSONL ---- */

static int wants(size_t line, const char *key, const char *what, struct fail *f)
{
    return fail(f, FAIL_INPUT, "line %zu: '%s' must be %s", line, key, what);
}

static int json_choices(struct reader *r, const cJSON *list, struct question *q, struct fail *f)
{
    size_t n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : 0;
    const char **choice = arena_array(r->arena, const char *, n);
    const cJSON *item;

    if (!cJSON_IsArray(list))
        return wants(q->line, "choices", "a list of strings", f);
    cJSON_ArrayForEach(item, list) {
        if (!cJSON_IsString(item))
            return wants(q->line, "choices", "a list of strings", f);
        choice[q->nchoices++] = arena_strdup(r->arena, item->valuestring);
    }
    q->choice = choice;
    return check_question(q, f);
}

/* A number as text, of no more digits than make sense. */
static bool digits(const char *text, uint64_t *n)
{
    size_t all = strlen(text);

    if (all < 1 || all > 3 || strspn(text, "0123456789") != all)
        return false;
    *n = strtoull(text, NULL, 10);
    return true;
}

static int json_answer(const cJSON *item, struct question *q, struct fail *f)
{
    uint64_t index = 0;
    bool text = cJSON_IsString(item), number = text ? digits(item->valuestring, &index) : json_u64(item, &index);
    int letter = text ? letter_of(item->valuestring, q->nchoices) : -1;

    if (text && letter < 0 && !number)
        return no_answer(q->line, item->valuestring, q->nchoices, f);
    if (letter < 0 && !number)
        return wants(q->line, "answer", "a letter, or the number of a choice counted from 0", f);
    if (letter < 0 && index >= q->nchoices)
        return fail(f, FAIL_INPUT, "line %zu: the answer %" PRIu64 " is not among choices 0 to %zu", q->line, index, q->nchoices - 1);
    q->answer = letter < 0 ? index : (size_t)letter;
    return 0;
}

static int add_object(struct reader *r, const cJSON *object, size_t line, struct fail *f)
{
    const cJSON *subject = cJSON_GetObjectItemCaseSensitive(object, "subject");
    const char *text = json_str(object, "question", NULL), *name = r->subject;
    struct question q = { .line = line };

    if (!text)
        return wants(line, "question", "a string", f);
    if (subject && !cJSON_IsString(subject))
        return wants(line, "subject", "a string", f);
    if (subject)
        name = name_index_find(&r->q->names, subject->valuestring) >= 0 ? subject->valuestring : arena_strdup(r->arena, subject->valuestring);
    q.text = arena_strdup(r->arena, text);
    if (json_choices(r, cJSON_GetObjectItemCaseSensitive(object, "choices"), &q, f) != 0 ||
        json_answer(cJSON_GetObjectItemCaseSensitive(object, "answer"), &q, f) != 0)
        return -1;
    add(r, q, name);
    return 0;
}

static int read_jsonl(struct reader *r, const char *text, size_t n, struct fail *f)
{
    struct arena tmp = {0};
    struct lines lines;
    const cJSON *object;
    int bad = lines_open(&lines, text, n, f);

    while (!bad && (object = lines_next_json(&lines, &tmp, f))) {
        bad = add_object(r, object, lines.no, f);
        arena_reset(&tmp);
    }
    arena_release(&tmp);
    return bad || failed(f) ? -1 : 0;
}

/* ---- files ---- */

/* By its name, or where that tells nothing by its first letter. */
static bool is_jsonl(const char *path, const char *text)
{
    const char *ending = ending_of(path);

    return ending ? strstr(ending, "jsonl") != NULL : text[strspn(text, "\xEF\xBB\xBF \t\r\n")] == '{';
}

static int read_file(struct reader *r, const char *path, struct fail *f)
{
    struct arena tmp = {0};
    size_t n, part, before = r->q->list.n;
    char *text = gzip_read_text(path, FILE_LIMIT, &tmp, &n, f);
    int bad = -1;

    r->path = path;
    r->subject = stem_of(path_base(path), &part, r->arena);
    if (text)
        bad = is_jsonl(path, text) ? read_jsonl(r, text, n, f) : read_csv(r, text, n, f);
    if (!bad && !r->shots && r->q->list.n == before)
        bad = fail(f, FAIL_INPUT, "holds no questions");
    arena_release(&tmp);
    return bad ? fail_in(f, path) : 0;
}

/* The worked examples that belong to a file of questions, wherever they lie. */
static int read_shots(struct reader *r, const char *path, struct fail *f)
{
    size_t part;
    const char *dir = path_dir(r->arena, path), *stem = stem_of(path_base(path), &part, r->arena);
    const char *places[] = { path_join(r->arena, dir, "dev"), path_join(r->arena, path_dir(r->arena, dir), "dev"), dir };

    if (strcmp(dir, ".") == 0)
        places[1] = "../dev";
    r->shots = true;
    for (size_t i = 0; i < 3; i++)
        for (size_t e = 0; e < NENDINGS; e++) {
            char *name = arena_printf(r->arena, "%s_dev%s", stem, endings[e]), *full = path_join(r->arena, places[i], name);
            if (!path_exists(full) || path_same(full, path))
                continue;
            return read_file(r, full, f);
        }
    return 0;
}

/* The files of a directory, less those for another purpose: with questions for tests there, not those for tuning and for shots. */
static int read_dir(struct questions *q, const char *dir, struct arena *a, struct fail *f)
{
    const char **name, **kept;
    size_t n, nkept = 0, least = NPARTS;

    if (path_list(dir, "", a, &name, &n, f) != 0)
        return -1;
    kept = arena_array(a, const char *, n);
    for (size_t i = 0; i < n; i++) {
        size_t part, rank;
        if (!ending_of(name[i]))
            continue;
        stem_of(name[i], &part, a);
        rank = part == NPARTS ? 0 : part;
        if (rank < least) {
            least = rank;
            nkept = 0;
        }
        if (rank == least)
            kept[nkept++] = path_join(a, dir, name[i]);
    }
    if (!nkept)
        return fail(f, FAIL_INPUT, "holds no .csv or .jsonl file of questions"), fail_in(f, dir);
    if (nkept > FILES_MOST)
        return fail(f, FAIL_INPUT, "holds %zu files of questions, more than %d", nkept, FILES_MOST), fail_in(f, dir);
    for (size_t i = 0; i < nkept; i++)
        if (read_file(&(struct reader){ .q = q, .arena = a }, kept[i], f) != 0 ||
            read_shots(&(struct reader){ .q = q, .arena = a }, kept[i], f) != 0)
            return -1;
    return 0;
}

int questions_read(struct questions *q, const char *path, struct arena *a, struct fail *f)
{
    const char *test = path_join(a, path, "test");

    *q = (struct questions){0};
    if (path_is_dir(path))
        return read_dir(q, path_is_dir(test) ? test : path, a, f);
    path = arena_strdup(a, path);
    return read_file(&(struct reader){ .q = q, .arena = a }, path, f) != 0 || read_shots(&(struct reader){ .q = q, .arena = a }, path, f) != 0 ? -1 : 0;
}
