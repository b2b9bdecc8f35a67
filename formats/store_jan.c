/* store_jan.c - Jan's data folder: llamacpp/models/ID/model.yml says where the GGUF is (janhq/jan: core/app/commands.rs and the
 * llamacpp extension). */
#include "formats/store.h"

#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"

#include <string.h>
#include <yaml.h>

enum { YML_BYTES = 1 << 20, NESTING = 6 };

static const char *data_dir(struct arena *a)
{
    const char *set = env_path("JAN_DATA_FOLDER", a), *xdg = env_path("XDG_DATA_HOME", a),
               *app = path_join(a, xdg ? xdg : home_path(a, "~/.local/share"), "Jan");
    struct fail missing = {0};
    const cJSON *settings;
    const char *folder;

    if (set)
        return set;
    settings = json_read(path_join(a, app, "settings.json"), YML_BYTES, a, &missing);
    folder = settings ? json_str(settings, "data_folder", NULL) : NULL;
    return folder && *folder ? home_path(a, folder) : path_join(a, app, "data");
}

static const char *const *roots(struct arena *a, size_t *n)
{
    const char **root = arena_array(a, const char *, 1);

    root[0] = path_join(a, data_dir(a), "llamacpp/models");
    *n = 1;
    return root;
}

/* ---- model.yml: one mapping; its scalars at the top level are all that matters here ---- */

struct yml {
    const char *model_path, *sha256;
};

/* One event at nesting `depth`; *key is the last scalar that awaits its value. */
static void take(struct yml *y, struct arena *a, const yaml_event_t *e, int depth, const char **key)
{
    const char *text;

    if (depth != 1 || e->type != YAML_SCALAR_EVENT) {
        *key = NULL;
        return;
    }
    text = arena_copy(a, e->data.scalar.value, e->data.scalar.length);
    if (!*key) {
        *key = text;
        return;
    }
    if (strcmp(*key, "model_path") == 0)
        y->model_path = text;
    if (strcmp(*key, "sha256") == 0)
        y->sha256 = text;
    *key = NULL;
}

static int depth_change(const yaml_event_t *e)
{
    if (e->type == YAML_MAPPING_START_EVENT || e->type == YAML_SEQUENCE_START_EVENT)
        return 1;
    return e->type == YAML_MAPPING_END_EVENT || e->type == YAML_SEQUENCE_END_EVENT ? -1 : 0;
}

static int parse(const char *text, size_t n, struct arena *a, struct yml *y, struct fail *f)
{
    const char *key = NULL;
    yaml_parser_t p;
    yaml_event_t e;
    int depth = 0, last = 0;

    if (!yaml_parser_initialize(&p))
        arena_exhausted(sizeof p);
    yaml_parser_set_input_string(&p, (const unsigned char *)text, n);
    while (!last && !failed(f)) {
        if (!yaml_parser_parse(&p, &e)) {
            fail(f, FAIL_INPUT, "is malformed YAML in line %zu", p.problem_mark.line + 1);
            break;
        }
        int change = depth_change(&e);

        if (change == 0)
            take(y, a, &e, depth, &key);
        else if (depth == 1 && change > 0)
            key = NULL;         /* the value of this key is no scalar */
        depth += change;
        last = e.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&e);
    }
    yaml_parser_delete(&p);
    return failed(f) ? -1 : 0;
}

static int read_yml(const char *path, struct arena *a, struct store_item *item, struct fail *f)
{
    struct yml y = {0};
    size_t n;
    char *text = file_read_text(path, YML_BYTES, a, &n, f);

    if (!text || parse(text, n, a, &y, f))
        return fail_in(f, path);
    if (!y.model_path || !*y.model_path)
        return fail(f, FAIL_INPUT, "has no 'model_path'"), fail_in(f, path);
    item->path = *y.model_path == '/' ? y.model_path : path_join(a, data_dir(a), y.model_path);
    item->sha256 = y.sha256 && strlen(y.sha256) == 64 ? y.sha256 : NULL;
    if (path_exists(item->path))
        return 0;
    fail(f, FAIL_INPUT, "names the model file '%s', which does not exist", item->path);
    return fail_in(f, path);
}

static int find(const char *name, struct arena *a, struct store_item *item, struct fail *f)
{
    size_t n;
    const char *root = roots(a, &n)[0], *path;

    if (!name_is_below(name))
        return fail(f, FAIL_INPUT, "is no name of the form jan:ID"), fail_hint(f, "'bantam list jan:' shows what is there");
    path = path_join(a, path_join(a, root, name), "model.yml");
    if (!path_exists(path)) {
        fail(f, FAIL_INPUT, "is not in Jan's folder '%s'", root);
        return fail_hint(f, "'bantam list jan:' shows what is there; JAN_DATA_FOLDER says where to look");
    }
    return read_yml(path, a, item, f);
}

static void walk(struct store_items *to, struct arena *a, const char *dir, const char *id, int depth)
{
    const char *yml = path_join(a, dir, "model.yml");
    size_t n;
    const char **name;

    if (*id && path_exists(yml)) {
        struct store_item *item = store_add(to, a, arena_printf(a, "jan:%s", id));
        struct fail f = {0};

        if (read_yml(yml, a, item, &f)) {
            item->path = NULL;
            item->problem = arena_strdup(a, f.text);
        }
        return;
    }
    name = depth < NESTING ? dir_names(dir, a, &n) : NULL;
    for (size_t i = 0; name && i < n; i++)
        if (path_is_dir(path_join(a, dir, name[i])))
            walk(to, a, path_join(a, dir, name[i]), path_join(a, id, name[i]), depth + 1);
}

static void list(struct store_items *to, struct arena *a)
{
    size_t n;

    walk(to, a, roots(a, &n)[0], "", 0);
}

const struct store store_jan = { "jan", "Jan", "ID", find, list, roots };
