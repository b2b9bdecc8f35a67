/* card.c - the YAML front matter of a model card. */
#include "convert/card.h"

#include "formats/file.h"

#include <string.h>
#include <yaml.h>

enum { CARD_MAX_BYTES = 2 << 20, CARD_MAX_DEPTH = 16, CARD_MAX_NODES = 100000, CARD_MAX_ANCHORS = 256 };

/* The tree grows event by event, since libyaml's own loader reads hostile nesting to its end, in quadratic time. Aliases copy
 * what their anchor named, as far as `left` nodes allow: then they are null, and what follows is still read. */
struct builder {
    yaml_parser_t parser;
    int left;
    struct anchor {
        char *name;
        const cJSON *node;      /* NULL while it is being read: an alias inside itself is null */
    } anchor[CARD_MAX_ANCHORS];
    size_t nanchors;
    const char *problem;        /* of ours */
    struct arena names;
};

static bool is_null(const yaml_event_t *e)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (strcmp((const char *)e->data.scalar.value, nulls[i]) == 0)
            return true;
    return false;
}

static int count_nodes(const cJSON *node)
{
    int n = 1;

    for (node = node->child; node; node = node->next)
        n += count_nodes(node);         /* no deeper than CARD_MAX_DEPTH trees within each other: see copy() */
    return n;
}

static int depth_of(const cJSON *node)
{
    int most = 0;

    for (node = node->child; node; node = node->next) {
        int d = depth_of(node);

        most = d > most ? d : most;
    }
    return most + 1;
}

static struct anchor *add_anchor(struct builder *b, const yaml_char_t *name)
{
    struct anchor *a;

    if (!name || b->nanchors == CARD_MAX_ANCHORS)
        return NULL;
    a = &b->anchor[b->nanchors++];
    *a = (struct anchor){ .name = arena_strdup(&b->names, (const char *)name) };
    return a;
}

static cJSON *copy(struct builder *b, const yaml_event_t *e, int depth)
{
    for (size_t i = b->nanchors; i-- > 0; ) {
        const cJSON *node = b->anchor[i].node;
        int n;

        if (strcmp(b->anchor[i].name, (const char *)e->data.alias.anchor) != 0)
            continue;
        if (!node || depth + depth_of(node) > CARD_MAX_DEPTH || (n = count_nodes(node)) > b->left)
            break;
        b->left -= n;
        return cJSON_Duplicate(node, true);
    }
    return cJSON_CreateNull();
}

static cJSON *build(struct builder *b, yaml_event_t *e, int depth);

static bool next_event(struct builder *b, yaml_event_t *e)
{
    return !b->problem && yaml_parser_parse(&b->parser, e);
}

/* The members of a list or an object up to its end, which is taken. */
static void build_members(struct builder *b, cJSON *out, yaml_event_type_t end, int depth)
{
    yaml_event_t e;
    bool object = end == YAML_MAPPING_END_EVENT;

    while (next_event(b, &e) && e.type != end) {
        cJSON *item = build(b, &e, depth), *value = NULL;

        if (!object) {
            cJSON_AddItemToArray(out, item);
            continue;
        }
        if (next_event(b, &e))
            value = build(b, &e, depth);
        if (value && cJSON_IsString(item)) {
            cJSON_DeleteItemFromObjectCaseSensitive(out, item->valuestring);         /* the last one counts */
            cJSON_AddItemToObject(out, item->valuestring, value);
        } else {
            cJSON_Delete(value);
        }
        cJSON_Delete(item);
    }
    if (!b->problem && !b->parser.error)
        yaml_event_delete(&e);
}

/* The node that begins with *e, which is deleted. */
static cJSON *build(struct builder *b, yaml_event_t *e, int depth)
{
    yaml_event_type_t type = e->type;
    struct anchor *anchor = NULL;
    cJSON *out;

    if (depth > CARD_MAX_DEPTH)
        b->problem = "it nests too deep";
    else if (b->left-- <= 0)
        b->problem = "it has too many items";
    if (type == YAML_ALIAS_EVENT) {
        out = copy(b, e, depth);
    } else if (type == YAML_SCALAR_EVENT) {
        anchor = add_anchor(b, e->data.scalar.anchor);
        out = is_null(e) ? cJSON_CreateNull() : cJSON_CreateString((const char *)e->data.scalar.value);
    } else if (type == YAML_SEQUENCE_START_EVENT) {
        anchor = add_anchor(b, e->data.sequence_start.anchor);
        out = cJSON_CreateArray();
    } else if (type == YAML_MAPPING_START_EVENT) {
        anchor = add_anchor(b, e->data.mapping_start.anchor);
        out = cJSON_CreateObject();
    } else {
        out = cJSON_CreateNull();
    }
    yaml_event_delete(e);
    if (!b->problem && type == YAML_SEQUENCE_START_EVENT)
        build_members(b, out, YAML_SEQUENCE_END_EVENT, depth + 1);
    else if (!b->problem && type == YAML_MAPPING_START_EVENT)
        build_members(b, out, YAML_MAPPING_END_EVENT, depth + 1);
    if (anchor)
        anchor->node = out;
    return out;
}

static bool is_marker(const char *line)
{
    size_t n = strspn(line + (strncmp(line, "---", 3) == 0 ? 3 : 0), " ");

    return strncmp(line, "---", 3) == 0 && (!line[3 + n] || line[3 + n] == '\n');
}

/* The lines between a first line '---' and the next; NULL: none. *line is how many lines stand before them. Tabs, which YAML
 * forbids but cards hold, become spaces; so does the CR of CRLF, and a CR alone is a line's end. */
static char *front_matter(char *text, size_t *n, size_t *line)
{
    char *start = text, *end;

    for (char *p = text; *p; p++)
        if (*p == '\r')
            *p = p[1] == '\n' ? ' ' : '\n';
    start += strncmp(start, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    *line = 1;
    for (; *start == ' ' || *start == '\n'; start++)
        *line += *start == '\n';
    if (!is_marker(start))
        return NULL;
    start += strcspn(start, "\n");
    start += *start == '\n';
    for (end = start; *end && !is_marker(end); end += strcspn(end, "\n"), end += *end == '\n')
        ;
    for (char *p = start; p < end; p++)
        if (*p == '\t')
            *p = ' ';
    *n = (size_t)(end - start);
    return start;
}

static void delete_tree(void *tree, size_t n)
{
    (void)n;
    cJSON_Delete(tree);
}

static size_t line_of(const yaml_parser_t *parser, const char *yaml, size_t n)
{
    size_t line = parser->problem_mark.line;

    if (parser->error == YAML_READER_ERROR)     /* which only knows the byte */
        for (size_t i = 0; i < n && i < parser->problem_offset; i++)
            line += yaml[i] == '\n';
    return line;
}

/* The first document's mapping, if it is one. */
static cJSON *build_root(struct builder *b)
{
    cJSON *root = NULL;
    yaml_event_t e;

    while (!root && next_event(b, &e)) {
        bool node = e.type == YAML_SCALAR_EVENT || e.type == YAML_SEQUENCE_START_EVENT || e.type == YAML_MAPPING_START_EVENT;
        bool over = e.type == YAML_STREAM_END_EVENT;

        if (node)
            root = build(b, &e, 0);
        else
            yaml_event_delete(&e);
        if (over)
            break;
    }
    return root;
}

/* NULL: nothing there, or malformed; then *f has a sentence with the line, `before` lines added to it. */
static cJSON *parse(const char *yaml, size_t n, size_t before, const char *what, struct arena *a, struct fail *f)
{
    struct builder b = { .left = CARD_MAX_NODES };
    cJSON *tree;

    if (!yaml_parser_initialize(&b.parser))
        return NULL;
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)yaml, n);
    tree = build_root(&b);
    if (b.parser.error || b.problem) {
        size_t line = b.parser.error ? line_of(&b.parser, yaml, n) : b.parser.mark.line;

        fail(f, FAIL_INPUT, "%s is malformed YAML in line %zu: %s", what, line + before + 1,
             b.parser.error && b.parser.problem ? b.parser.problem : b.problem ? b.problem : "unreadable");
    }
    if (failed(f) || !cJSON_IsObject(tree)) {
        cJSON_Delete(tree);
        tree = NULL;
    } else {
        arena_on_reset(a, delete_tree, tree, 0);
    }
    yaml_parser_delete(&b.parser);
    arena_release(&b.names);
    return tree;
}

/* The first CARD_MAX_BYTES of a file, as a string that may be written to. */
static char *read_start(const char *path, struct arena *a, bool *cut, struct fail *f)
{
    struct file file;
    char *text;

    if (!path_exists(path) || file_open(&file, path, f))
        return NULL;
    *cut = file.nbytes > CARD_MAX_BYTES;
    text = arena_copy(a, file.data, *cut ? CARD_MAX_BYTES : file.nbytes);
    file_close(&file);
    return text;
}

cJSON *card_read(const char *path, struct arena *a, struct fail *f)
{
    cJSON *tree = NULL;
    size_t n = 0, line = 0;
    bool cut = false;
    char *text = read_start(path, a, &cut, f), *yaml = text ? front_matter(text, &n, &line) : NULL;

    if (yaml && cut && yaml + n == text + strlen(text))
        fail(f, FAIL_INPUT, "the front matter does not end within %d MB", CARD_MAX_BYTES >> 20);
    else if (yaml)
        tree = parse(yaml, n, line, "the front matter", a, f);
    if (failed(f)) {
        fail_in(f, path);
        fail_hint(f, "license and base model are taken from it: correct it, or convert a directory without README.md");
    }
    return tree;
}

cJSON *yaml_read(const char *path, struct arena *a, struct fail *f)
{
    size_t n = 0;
    char *text = path_exists(path) ? file_read_text(path, CARD_MAX_BYTES, a, &n, f) : NULL;
    cJSON *tree = text ? parse(text, n, 0, "it", a, f) : NULL;

    if (failed(f))
        fail_in(f, path);
    return tree;
}
