/* hashes.c - see hashes.h. */
#include "tools/hashes.h"

#include "formats/file.h"
#include "formats/text.h"
#include "tools/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { PORTION = 8 << 20, MANIFEST_BYTES = 256 << 20 };

void xxh3_text(char text[XXH3_TEXT], XXH128_hash_t h)
{
    snprintf(text, XXH3_TEXT, "%016" PRIx64 "%016" PRIx64, (uint64_t)h.high64, (uint64_t)h.low64);
}

/* ---- many items at once, one failure told: that of the lowest ---- */

struct hashing {
    struct meter meter;
    uint64_t done, total;
    uint64_t lowest;            /* item that failed */
};

static void start(struct hashing *h, struct args *a, uint64_t total)
{
    *h = (struct hashing){ .total = total, .lowest = UINT64_MAX };
    meter_start(&h->meter, a, "hashing");
}

static void count_bytes(void *ctx, uint64_t n)
{
    struct hashing *h = ctx;

    #pragma omp critical (hashing)
    {
        h->done += n;
        meter_bytes(&h->meter, h->done, h->total);
    }
}

/* ---- tensors ---- */

static int hash_tensor(struct model *m, const struct tensor *t, struct arena *tmp, struct hashing *h, XXH128_hash_t *out, struct fail *f)
{
    uint64_t row = tensor_row_bytes(t), rows = tensor_rows(t), step = row < PORTION ? PORTION / (row ? row : 1) : 1;
    XXH3_state_t *state = XXH3_createState();
    int bad = 0;

    XXH3_128bits_reset(state);
    for (uint64_t first = 0; first < rows && !bad; first += step) {
        uint64_t n = rows - first < step ? rows - first : step;
        const void *bytes = model_rows(m, t, first, n, tmp, f);

        if (bytes)
            XXH3_128bits_update(state, bytes, n * row);
        bad = bytes ? 0 : -1;
        arena_reset(tmp);
        count_bytes(h, n * row);
    }
    *out = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    return bad;
}

XXH128_hash_t *hash_tensors(struct model *m, struct args *a, struct fail *f)
{
    XXH128_hash_t *hash = arena_array(&a->arena, XXH128_hash_t, m->ntensors);
    struct hashing h;

    start(&h, a, amount_of(m, NULL).nbytes);
    #pragma omp parallel
    {
        struct arena tmp = {0};

        #pragma omp for schedule(dynamic)
        for (size_t i = 0; i < m->ntensors; i++) {
            struct fail mine = {0};

            hash_tensor(m, &m->tensor[i], &tmp, &h, &hash[i], &mine);
            fail_lowest(f, &h.lowest, i, &mine);
        }
        arena_release(&tmp);
    }
    meter_end(&h.meter);
    return h.lowest == UINT64_MAX ? hash : NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct tensor *const *)a)->name, (*(const struct tensor *const *)b)->name);
}

XXH128_hash_t fingerprint_of(const struct model *m, const XXH128_hash_t *hash)
{
    struct arena a = {0};
    const struct tensor **t = arena_array(&a, const struct tensor *, m->ntensors);
    XXH3_state_t *state = XXH3_createState();
    XXH128_hash_t out;

    for (size_t i = 0; i < m->ntensors; i++)
        t[i] = &m->tensor[i];
    qsort(t, m->ntensors, sizeof *t, by_name);
    XXH3_128bits_reset(state);
    for (size_t i = 0; i < m->ntensors; i++) {
        XXH128_canonical_t bytes;

        XXH128_canonicalFromHash(&bytes, hash[t[i] - m->tensor]);
        XXH3_128bits_update(state, t[i]->name, strlen(t[i]->name) + 1);
        XXH3_128bits_update(state, t[i]->type->name, strlen(t[i]->type->name) + 1);
        XXH3_128bits_update(state, t[i]->shape, (size_t)t[i]->rank * sizeof *t[i]->shape);
        XXH3_128bits_update(state, &bytes, sizeof bytes);
    }
    out = XXH3_128bits_digest(state);
    XXH3_freeState(state);
    arena_release(&a);
    return out;
}

/* ---- files ---- */

char (*hash_paths(const char *const *path, size_t n, uint64_t nbytes, struct args *a, struct fail *f))[SHA256_TEXT]
{
    char (*hex)[SHA256_TEXT] = arena_array_of(&a->arena, n, sizeof *hex);
    struct hashing h;

    start(&h, a, nbytes);
    #pragma omp parallel for schedule(dynamic)
    for (size_t i = 0; i < n; i++) {
        struct fail mine = {0};

        sha256_file(path[i], hex[i], count_bytes, &h, &mine);
        fail_lowest(f, &h.lowest, i, &mine);
    }
    meter_end(&h.meter);
    return h.lowest == UINT64_MAX ? hex : NULL;
}

char (*hash_files(const struct model *m, struct args *a, struct fail *f))[SHA256_TEXT]
{
    const char **path = arena_array(&a->arena, const char *, m->nfiles);
    uint64_t nbytes = 0;

    for (size_t i = 0; i < m->nfiles; i++) {
        path[i] = m->file[i].path;
        nbytes += m->file[i].nbytes;
    }
    return hash_paths(path, m->nfiles, nbytes, a, f);
}

/* ---- --check ---- */

struct entry {
    const char *name, *kind, *expected, *found;     /* found NULL: the model has none */
};

struct entries {
    struct entry *item;
    size_t n, cap;
};

static void add_entry(struct entries *l, struct arena *a, const char *name, const char *kind, const char *expected)
{
    l->item = arena_grow(a, l->item, &l->cap, l->n + 1, sizeof *l->item);
    l->item[l->n++] = (struct entry){ .name = name, .kind = kind, .expected = expected };
}

/* "HEX  PATH" or "HEX *PATH", a line each: paths count by their last part, and only those of the model's files. */
static void read_lines(struct entries *l, const struct model *m, char *text, struct arena *a)
{
    char *save = NULL;

    for (char *line = strtok_r(text, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
        if (strspn(line, "0123456789abcdefABCDEF") != 64 || line[64] != ' ' || (line[65] != ' ' && line[65] != '*'))
            continue;
        line[64] = 0;
        for (size_t i = 0; i < m->nfiles; i++)
            if (strcmp(path_base(m->file[i].path), path_base(line + 66)) == 0)
                add_entry(l, a, m->file[i].path, "sha256", line);
    }
}

static void read_list(struct entries *l, const cJSON *list, const char *name_key, const char *kind, struct arena *a)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, list) {
        const char *name = json_str(item, name_key, NULL), *hash = json_str(item, kind, NULL);

        if (name && hash)
            add_entry(l, a, name, kind, hash);
    }
}

static int read_manifest(struct entries *l, const struct model *m, const char *path, struct arena *a, struct fail *f)
{
    size_t n = 0;
    char *text = file_read_text(path, MANIFEST_BYTES, a, &n, f);
    const cJSON *root;

    if (!text)
        return -1;
    if (text[strspn(text, " \t\r\n")] == '{') {
        if (!(root = json_parse(text, n, path, a, f)))
            return -1;
        read_list(l, cJSON_GetObjectItemCaseSensitive(root, "files"), "path", "sha256", a);
        read_list(l, cJSON_GetObjectItemCaseSensitive(root, "tensors"), "name", "xxh3", a);
    } else {
        read_lines(l, m, text, a);
    }
    if (l->n)
        return 0;
    fail(f, FAIL_INPUT, "lists no hash of this model");
    fail_hint(f, "make one with: bantam inspect MODEL --hashes --sha256 --json, or sha256sum FILE");
    return fail_in(f, path);
}

static bool has_kind(const struct entries *l, const char *kind)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i].kind, kind) == 0)
            return true;
    return false;
}

static void find_tensors(struct entries *l, const struct model *m, const XXH128_hash_t *hash, struct arena *a)
{
    for (size_t i = 0; i < l->n; i++) {
        const struct tensor *t = strcmp(l->item[i].kind, "xxh3") == 0 ? model_tensor(m, l->item[i].name) : NULL;
        char text[XXH3_TEXT];

        if (!t)
            continue;
        xxh3_text(text, hash[t - m->tensor]);
        l->item[i].found = arena_strdup(a, text);
    }
}

/* Files go by their last part: a manifest may have been made in another folder. */
static void find_files(struct entries *l, const struct model *m, char (*hex)[SHA256_TEXT])
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < m->nfiles && strcmp(l->item[i].kind, "sha256") == 0; k++)
            if (strcmp(path_base(m->file[k].path), path_base(l->item[i].name)) == 0)
                l->item[i].found = hex[k];
}

static bool agrees(const struct entry *e)
{
    return e->found && strcasecmp(e->found, e->expected) == 0;
}

static cJSON *check_json(const struct entries *l, size_t wrong)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "checked", json_whole(l->n));
    cJSON_AddItemToObject(root, "wrong", json_whole(wrong));
    list = cJSON_AddArrayToObject(root, "differences");
    for (size_t i = 0; i < l->n; i++) {
        cJSON *item;

        if (agrees(&l->item[i]))
            continue;
        item = cJSON_CreateObject();
        json_add_text(item, "name", l->item[i].name);
        json_add_text(item, "kind", l->item[i].kind);
        json_add_text(item, "expected", l->item[i].expected);
        json_add_text(item, "found", l->item[i].found);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static void print_check(const struct entries *l, size_t wrong)
{
    printf("%zu hashes checked, %zu differ\n", l->n, wrong);
    for (size_t i = 0; i < l->n; i++)
        if (!agrees(&l->item[i])) {
            printf("  %s ", l->item[i].found ? "differs" : "missing");
            print_last(l->item[i].name, terminal_columns() - 10);
            putchar('\n');
        }
}

int hashes_check(struct model *m, struct args *a, struct fail *f)
{
    struct entries l = {0};
    XXH128_hash_t *tensor;
    char (*file)[SHA256_TEXT];
    size_t wrong = 0, first = SIZE_MAX;

    if (read_manifest(&l, m, a->check, &a->arena, f))
        return -1;
    if (has_kind(&l, "xxh3")) {
        if (!(tensor = hash_tensors(m, a, f)))
            return -1;
        find_tensors(&l, m, tensor, &a->arena);
    }
    if (has_kind(&l, "sha256")) {
        if (!(file = hash_files(m, a, f)))
            return -1;
        find_files(&l, m, file);
    }
    for (size_t i = l.n; i-- > 0; )
        if (!agrees(&l.item[i])) {
            wrong++;
            first = i;
        }
    if (a->json ? json_print(check_json(&l, wrong), f) : a->quiet ? 0 : (print_check(&l, wrong), stdout_done(f)))
        return -1;
    if (!wrong)
        return 0;
    return fail(f, FAIL_NO, "%zu of %zu hashes are not those of '%s', the first is that of '%s'", wrong, l.n, a->check, l.item[first].name);
}
