/* card.c - the YAML front matter of a model card. */
#include "convert/card.h"

#include "formats/file.h"

#include <string.h>
#include <yaml.h>

enum { CARD_MAX_BYTES = 2 << 20, CARD_MAX_DEPTH = 16, CARD_MAX_NODES = 100000 };

/* Aliases make a document a graph, perhaps with cycles: `left` bounds the nodes of the tree it unfolds to. */
struct unfold {
    yaml_document_t *document;
    int left;
};

static bool is_null(const yaml_node_t *node)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };

    if (node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof nulls / sizeof *nulls; i++)
        if (strcmp((const char *)node->data.scalar.value, nulls[i]) == 0)
            return true;
    return false;
}

static cJSON *unfold(struct unfold *u, int id, int depth)
{
    yaml_node_t *node = yaml_document_get_node(u->document, id);
    cJSON *out;

    if (!node || depth > CARD_MAX_DEPTH || u->left-- <= 0)
        return cJSON_CreateNull();
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return is_null(node) ? cJSON_CreateNull() : cJSON_CreateString((const char *)node->data.scalar.value);
    case YAML_SEQUENCE_NODE:
        out = cJSON_CreateArray();
        for (int *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++)
            cJSON_AddItemToArray(out, unfold(u, *i, depth + 1));
        return out;
    case YAML_MAPPING_NODE:
        out = cJSON_CreateObject();
        for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
            yaml_node_t *key = yaml_document_get_node(u->document, p->key);
            if (!key || key->type != YAML_SCALAR_NODE)
                continue;
            cJSON_DeleteItemFromObjectCaseSensitive(out, (const char *)key->data.scalar.value);     /* the last one counts */
            cJSON_AddItemToObject(out, (const char *)key->data.scalar.value, unfold(u, p->value, depth + 1));
        }
        return out;
    default:
        return cJSON_CreateNull();
    }
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

/* NULL: nothing there, or malformed; then *f has a sentence with the line, `before` lines added to it. */
static cJSON *parse(const char *yaml, size_t n, size_t before, const char *what, struct arena *a, struct fail *f)
{
    yaml_parser_t parser;
    yaml_document_t document;
    cJSON *tree = NULL;

    if (!yaml_parser_initialize(&parser))
        return NULL;
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, n);
    if (yaml_parser_load(&parser, &document)) {
        struct unfold u = { &document, CARD_MAX_NODES };
        yaml_node_t *root = yaml_document_get_root_node(&document);
        if (root && root->type == YAML_MAPPING_NODE) {
            tree = unfold(&u, (int)(root - document.nodes.start) + 1, 0);
            arena_on_reset(a, delete_tree, tree, 0);
        }
        yaml_document_delete(&document);
    } else {
        fail(f, FAIL_INPUT, "%s is malformed YAML in line %zu: %s", what, line_of(&parser, yaml, n) + before + 1,
             parser.problem ? parser.problem : "unreadable");
    }
    yaml_parser_delete(&parser);
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
