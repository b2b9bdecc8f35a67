/* store_hf.c - the Hugging Face hub cache: models--ORG--NAME/{refs,blobs,snapshots}. Its files are links into blobs/, and a blob
 * of 64 hex digits is named by its SHA-256 (layout: huggingface/hub-docs local-cache.md). */
#include "formats/store.h"

#include "formats/file.h"
#include "formats/text.h"

#include <assert.h>
#include <string.h>
#include <unistd.h>

enum { COMMIT = 40, NESTING = 4 };

static const char *const *roots(struct arena *a, size_t *n)
{
    const char **root = arena_array(a, const char *, 1), *cache = env_path("HF_HUB_CACHE", a), *home = env_path("HF_HOME", a),
               *xdg = env_path("XDG_CACHE_HOME", a);

    if (!cache)
        cache = env_path("HUGGINGFACE_HUB_CACHE", a);
    if (!home)
        home = xdg ? path_join(a, xdg, "huggingface") : home_path(a, "~/.cache/huggingface");
    root[0] = cache ? cache : path_join(a, home, "hub");
    *n = 1;
    return root;
}

static bool is_hex(const char *s, size_t n)
{
    return strlen(s) == n && strspn(s, "0123456789abcdef") == n;
}

/* The commit that refs/REVISION holds; NULL: no such reference. */
static const char *commit_of(const char *repo, const char *revision, struct arena *a)
{
    struct fail missing = {0};
    size_t n = 0;
    char *text = file_read_text(path_join(a, path_join(a, repo, "refs"), revision), 256, a, &n, &missing);

    if (!text)
        return NULL;
    text[strcspn(text, " \t\r\n")] = 0;
    return is_hex(text, COMMIT) ? text : NULL;
}

static const char *sha256_of(const char *path, struct arena *a)
{
    char target[512];
    ssize_t n = readlink(path, target, sizeof target - 1);
    const char *base;

    if (n <= 0)
        return NULL;
    target[n] = 0;
    base = path_base(target);
    return is_hex(base, 64) ? arena_strdup(a, base) : NULL;
}

/* "ORG/NAME/FILE@REV" taken apart; file and revision may be absent. */
struct hub_name {
    const char *repo, *file, *revision;
};

static int parse(const char *name, struct arena *a, struct hub_name *h, struct fail *f)
{
    char *whole = arena_strdup(a, name), *at = strrchr(whole, '@'), *slash;

    *h = (struct hub_name){ .revision = at ? at + 1 : "main" };
    if (at)
        *at = 0;
    if (!name_is_below(whole) || !name_is_below(h->revision)) {
        fail(f, FAIL_INPUT, "is no name of the form hf:ORG/NAME[@REVISION]");
        return fail_hint(f, "'bantam list hf:' shows what is in the cache");
    }
    slash = strchr(whole, '/');
    if (slash && (slash = strchr(slash + 1, '/'))) {
        *slash = 0;
        h->file = slash + 1;
    }
    h->repo = whole;
    return 0;
}

/* "ORG/NAME" -> "models--ORG--NAME". */
static char *repo_dir(const char *root, const char *repo, struct arena *a)
{
    const char *slash;

    assert(repo);
    slash = strchr(repo, '/');
    if (!slash)
        return path_join(a, root, arena_printf(a, "models--%s", repo));
    return path_join(a, root, arena_printf(a, "models--%.*s--%s", (int)(slash - repo), repo, slash + 1));
}

static int refuse_revision(const char *repo, const char *revision, struct arena *a, struct fail *f)
{
    size_t n;
    const char **have = dir_names(path_join(a, repo, "snapshots"), a, &n);

    fail(f, FAIL_INPUT, "revision '%s' is not in the cache", revision);
    if (n)
        return fail_hint(f, "it holds %zu revision%s, such as @%s", n, n == 1 ? "" : "s", have[0]);
    return fail_hint(f, "download it with: hf download NAME");
}

static int find(const char *name, struct arena *a, struct store_item *item, struct fail *f)
{
    size_t n;
    const char *root = roots(a, &n)[0], *repo, *snapshot, *commit;
    struct hub_name h;

    if (parse(name, a, &h, f))
        return -1;
    repo = repo_dir(root, h.repo, a);
    if (!path_is_dir(repo)) {
        fail(f, FAIL_INPUT, "is not in the Hugging Face cache '%s'", root);
        return fail_hint(f, "download it with: hf download %s; or set HF_HUB_CACHE to where it is", h.repo);
    }
    commit = is_hex(h.revision, COMMIT) ? h.revision : commit_of(repo, h.revision, a);
    snapshot = commit ? path_join(a, path_join(a, repo, "snapshots"), commit) : NULL;
    if (!snapshot || !path_is_dir(snapshot))
        return refuse_revision(repo, h.revision, a, f);
    item->path = h.file ? path_join(a, snapshot, h.file) : snapshot;
    item->sha256 = h.file ? sha256_of(item->path, a) : NULL;
    return 0;
}

/* ---- listing ---- */

struct snapshot {
    const char *repo, *suffix;      /* "ORG/NAME"; "" or "@REVISION" */
    struct store_items *to;
    struct arena *a;
    bool has_model;                 /* weights of a directory model were seen */
};

/* Every GGUF file is a model of its own; safetensors and the rest are one model, the directory. */
static void list_files(struct snapshot *s, const char *dir, const char *below, int depth)
{
    size_t n;
    const char **name = dir_names(dir, s->a, &n);

    for (size_t i = 0; i < n; i++) {
        const char *path = path_join(s->a, dir, name[i]), *inside = path_join(s->a, below, name[i]);
        struct shard_name shard = shard_name(name[i], ".gguf");

        if (path_is_dir(path) && depth < NESTING) {
            list_files(s, path, inside, depth + 1);
        } else if (ends_with(name[i], ".gguf") && shard.no <= 1 && strchr(s->repo, '/')) {
            struct store_item *item = store_add(s->to, s->a, arena_printf(s->a, "hf:%s/%s%s", s->repo, inside, s->suffix));

            item->path = path;
            item->sha256 = sha256_of(path, s->a);
        } else if (depth == 0 && (ends_with(name[i], ".safetensors") || strcmp(name[i], "config.json") == 0)) {
            s->has_model = true;
        }
    }
}

static void list_snapshot(struct snapshot s, const char *dir)
{
    list_files(&s, dir, "", 0);
    if (s.has_model)
        store_add(s.to, s.a, arena_printf(s.a, "hf:%s%s", s.repo, s.suffix))->path = dir;
}

/* "main" goes by the bare name, other snapshots by their commit. */
static void list_repo(struct store_items *to, struct arena *a, const char *dir, const char *repo)
{
    const char *main = commit_of(dir, "main", a), *snapshots = path_join(a, dir, "snapshots");
    size_t n;
    const char **commit = dir_names(snapshots, a, &n);

    for (size_t i = 0; i < n; i++) {
        bool is_main = main && strcmp(commit[i], main) == 0;
        struct snapshot s = { .repo = repo, .suffix = is_main ? "" : arena_printf(a, "@%s", commit[i]), .to = to, .a = a };

        list_snapshot(s, path_join(a, snapshots, commit[i]));
    }
}

static void list(struct store_items *to, struct arena *a)
{
    static const char start[] = "models--";
    size_t n, nroots;
    const char *root = roots(a, &nroots)[0];
    const char **name = dir_names(root, a, &n);

    for (size_t i = 0; i < n; i++) {
        char *repo, *dashes;

        if (!starts_with(name[i], start))
            continue;
        repo = arena_strdup(a, name[i] + sizeof start - 1);
        dashes = strstr(repo, "--");
        if (dashes) {
            *dashes = '/';
            memmove(dashes + 1, dashes + 2, strlen(dashes + 2) + 1);
        }
        list_repo(to, a, path_join(a, root, name[i]), repo);
    }
}

const struct store store_hf = { "hf", "Hugging Face cache", "ORG/NAME[/FILE][@REVISION]", find, list, roots };
