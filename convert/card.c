/* card.c - the YAML front matter of a model card. */
#include "convert/card.h"

#include "formats/file.h"

#include <string.h>
#include <yaml.h>

enum { CARD_MAX_BYTES = 16 << 20, CARD_MAX_DEPTH = 16, CARD_MAX_NODES = 100000 };

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

/* The lines between a first line '---' and the next; NULL: none. Tabs, which YAML forbids but cards hold, become spaces. */
static char *front_matter(char *text, size_t *n)
{
    char *start = text + 4, *end;

    if (strncmp(text, "---\r\n", 5) == 0)
        start++;
    else if (strncmp(text, "---\n", 4) != 0)
        return NULL;
    for (end = start; *end; end += strcspn(end, "\n"), end += *end == '\n')
        if (strncmp(end, "---", 3) == 0 && (!end[3] || end[3] == '\n' || (end[3] == '\r' && end[4] == '\n')))
            break;
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

cJSON *card_read(const char *path, struct arena *a, struct fail *f)
{
    yaml_parser_t parser;
    yaml_document_t document;
    cJSON *tree = NULL;
    size_t n = 0;
    char *text = path_exists(path) ? file_read_text(path, CARD_MAX_BYTES, a, NULL, f) : NULL,
         *yaml = text ? front_matter(text, &n) : NULL;

    if (!yaml || !yaml_parser_initialize(&parser))
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
        fail(f, FAIL_INPUT, "the front matter is malformed YAML in line %zu: %s", parser.problem_mark.line + 2,
             parser.problem ? parser.problem : "unreadable");
        fail_in(f, path);
        fail_hint(f, "license and base model are taken from it: correct it, or convert a directory without README.md");
    }
    yaml_parser_delete(&parser);
    return tree;
}
