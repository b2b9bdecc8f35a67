/* store_ollama.c - Ollama's store: manifests/HOST/NAMESPACE/MODEL/TAG name blobs by SHA-256 (package manifest and types/model/name.go
 * of ollama/ollama). */
#include "formats/store.h"

#include "formats/file.h"
#include "formats/json.h"
#include "formats/text.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MANIFEST_BYTES = 4 << 20, PART_BYTES = 80, HOST_BYTES = 350, MOST_LICENSES = 64 };

/* The service on Linux runs as a user of its own. */
static const char *const *roots(struct arena *a, size_t *n)
{
    const char **root = arena_array(a, const char *, 3), *set = env_path("OLLAMA_MODELS", a);

    *n = 0;
    if (set) {
        root[(*n)++] = set;
        return root;
    }
    root[(*n)++] = home_path(a, "~/.ollama/models");
    root[(*n)++] = "/usr/share/ollama/.ollama/models";
    root[(*n)++] = "/var/lib/ollama/.ollama/models";
    return root;
}

/* ---- names ---- */

static bool part_is_valid(const char *s, bool host, bool space)
{
    size_t n = strlen(s);

    if (n == 0 || n > (host ? HOST_BYTES : PART_BYTES) || !(isalnum((unsigned char)*s) || *s == '_'))
        return false;
    for (; *s; s++)
        if (!(isalnum((unsigned char)*s) || *s == '_' || *s == '-' || (*s == '.' && !space) || (*s == ':' && host)))
            return false;
    return true;
}

/* Takes what stands behind the last `mark` off `s`; NULL: no such mark. */
static char *cut_last(char *s, char mark)
{
    char *p = strrchr(s, mark);

    if (!p)
        return NULL;
    *p = 0;
    return p + 1;
}

int ollama_parse(const char *name, struct arena *a, struct ollama_name *o, struct fail *f)
{
    char *s = arena_strdup(a, name), *colon = strrchr(s, ':'), *slash = strrchr(s, '/'), *part;
    const char *scheme;

    *o = (struct ollama_name){ "registry.ollama.ai", "library", s, "latest" };
    if (colon && (!slash || colon > slash))
        o->tag = cut_last(s, ':');
    if ((part = cut_last(s, '/'))) {
        o->model = part;
        o->space = (part = cut_last(s, '/')) ? part : s;
        scheme = part ? strstr(s, "://") : NULL;
        if (part)
            o->host = scheme ? scheme + 3 : s;
    }
    if (part_is_valid(o->host, true, false) && part_is_valid(o->space, false, true) && part_is_valid(o->model, false, false) &&
        part_is_valid(o->tag, false, false))
        return 0;
    fail(f, FAIL_INPUT, "'%s' is no name that Ollama takes", name);
    return fail_hint(f, "[HOST/][NAMESPACE/]MODEL[:TAG], each of letters, digits, '_', '-' and '.'");
}

char *ollama_short(const struct ollama_name *o, struct arena *a)
{
    if (strcasecmp(o->host, "registry.ollama.ai") != 0)
        return arena_printf(a, "%s/%s/%s:%s", o->host, o->space, o->model, o->tag);
    if (strcasecmp(o->space, "library") != 0)
        return arena_printf(a, "%s/%s:%s", o->space, o->model, o->tag);
    return arena_printf(a, "%s:%s", o->model, o->tag);
}

/* `name` below `dir` as it is spelled there: names compare without case. */
static char *spelled(const char *dir, const char *name, struct arena *a)
{
    const char **have;
    char *exact = path_join(a, dir, name);
    size_t n;

    if (path_exists(exact))
        return exact;
    have = dir_names(dir, a, &n);
    for (size_t i = 0; i < n; i++)
        if (strcasecmp(have[i], name) == 0)
            return path_join(a, dir, have[i]);
    return exact;
}

char *ollama_manifest(const char *root, const struct ollama_name *o, struct arena *a)
{
    char *dir = path_join(a, root, "manifests");

    return spelled(spelled(spelled(spelled(dir, o->host, a), o->space, a), o->model, a), o->tag, a);
}

char *ollama_blob(const char *root, const char *digest, struct arena *a)
{
    const char *hex = digest + 7;

    if (!starts_with(digest, "sha256") || (digest[6] != ':' && digest[6] != '-') || strlen(hex) != 64 ||
        strspn(hex, "0123456789abcdefABCDEF") != 64)
        return NULL;
    return path_join(a, path_join(a, root, "blobs"), arena_printf(a, "sha256-%s", hex));
}

/* ---- manifests ---- */

static const char *kind_of(const cJSON *layer)
{
    static const char start[] = "application/vnd.ollama.image.";
    const char *type = json_str(layer, "mediaType", "");

    return starts_with(type, start) ? type + sizeof start - 1 : "";
}

/* The blob of a layer, which must be there and as long as the manifest says. */
static char *blob_of(const char *root, const cJSON *layer, struct arena *a, struct fail *f)
{
    const char *digest = json_str(layer, "digest", "");
    char *path = ollama_blob(root, digest, a);
    uint64_t size = 0;
    struct stat st;

    if (!path) {
        fail(f, FAIL_INPUT, "a layer has no SHA-256 digest: '%.80s'", digest);
        return NULL;
    }
    if (stat(path, &st)) {
        fail(f, FAIL_INPUT, "blob '%s' is missing", path_base(path));
        fail_hint(f, "pull the model again");
        return NULL;
    }
    if (json_u64(cJSON_GetObjectItemCaseSensitive(layer, "size"), &size) && size != (uint64_t)st.st_size) {
        fail(f, FAIL_INPUT, "blob '%s' has %jd bytes, its manifest says %" PRIu64, path_base(path), (intmax_t)st.st_size, size);
        fail_hint(f, "its download is incomplete: pull the model again");
        return NULL;
    }
    return path;
}

static int read_layers(const char *root, const cJSON *layers, struct arena *a, struct store_item *item, struct fail *f)
{
    const char **license = arena_array(a, const char *, MOST_LICENSES);
    const cJSON *layer;
    bool tensors = false;

    item->license = license;
    cJSON_ArrayForEach(layer, layers) {
        const char *kind = kind_of(layer);

        tensors |= strcmp(kind, "tensor") == 0;
        if (strcmp(kind, "model") == 0 && !item->path) {
            if (!(item->path = blob_of(root, layer, a, f)))
                return -1;
            item->sha256 = path_base(item->path) + 7;
        } else if (strcmp(kind, "license") == 0 && item->nlicenses < MOST_LICENSES) {
            struct fail lost = {0};     /* the model itself can be read all the same */

            if ((license[item->nlicenses] = blob_of(root, layer, a, &lost)))
                item->nlicenses++;
            else
                item->problem = arena_printf(a, "license %s", lost.text);
        }
    }
    if (item->path)
        return 0;
    fail(f, FAIL_INPUT, tensors ? "is stored as one blob per tensor, which is not read" : "has no model layer");
    return fail_hint(f, tensors ? "give the directory that it was made from" : "pull the model again");
}

static int read_manifest(const char *root, const char *path, struct arena *a, struct store_item *item, struct fail *f)
{
    const cJSON *manifest = json_read(path, MANIFEST_BYTES, a, f);

    if (!manifest)
        return -1;
    if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(manifest, "layers")))
        return fail(f, FAIL_INPUT, "is no manifest: it has no layers"), fail_in(f, path);
    return read_layers(root, cJSON_GetObjectItemCaseSensitive(manifest, "layers"), a, item, f);
}

static int find(const char *name, struct arena *a, struct store_item *item, struct fail *f)
{
    struct ollama_name o;
    size_t n;
    const char *const *root = roots(a, &n);

    if (ollama_parse(name, a, &o, f))
        return -1;
    for (size_t i = 0; i < n; i++) {
        const char *path = ollama_manifest(root[i], &o, a);

        if (path_exists(path) && !path_is_dir(path))
            return read_manifest(root[i], path, a, item, f);
    }
    fail(f, FAIL_INPUT, "is not in Ollama's store '%s'", root[0]);
    return fail_hint(f, "'bantam list ollama:' shows what is there; OLLAMA_MODELS says where to look");
}

/* ---- listing ---- */

struct walk {
    const char *root;
    const char *part[4];
    struct store_items *to;
    struct arena *a;
};

static void add(struct walk *w, const char *path)
{
    struct ollama_name o = { w->part[0], w->part[1], w->part[2], w->part[3] };
    struct store_item *item = store_add(w->to, w->a, arena_printf(w->a, "ollama:%s", ollama_short(&o, w->a)));
    struct fail f = {0};

    if (read_manifest(w->root, path, w->a, item, &f)) {
        item->path = NULL;
        item->problem = arena_strdup(w->a, f.text);
    }
}

static void walk(struct walk *w, const char *dir, int depth)
{
    size_t n;
    const char **name = dir_names(dir, w->a, &n);

    for (size_t i = 0; i < n; i++) {
        const char *path = path_join(w->a, dir, name[i]);
        bool is_dir = path_is_dir(path);

        w->part[depth] = name[i];
        if (depth == 3 && !is_dir)
            add(w, path);
        else if (depth < 3 && is_dir)
            walk(w, path, depth + 1);
    }
}

static void list(struct store_items *to, struct arena *a)
{
    size_t n;
    const char *const *root = roots(a, &n);

    for (size_t i = 0; i < n; i++) {
        struct walk w = { .root = root[i], .to = to, .a = a };

        walk(&w, path_join(a, root[i], "manifests"), 0);
    }
}

const struct store store_ollama = { "ollama", "Ollama", "[NAMESPACE/]NAME[:TAG]", find, list, roots };
