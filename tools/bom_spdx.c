/* bom_spdx.c - SPDX 3.0.1, profiles core, software, AI and simple licensing, as JSON-LD. */
#include "tools/bom.h"

#include "tools/report.h"

#include <inttypes.h>
#include <string.h>

#define NO_ASSERTION "https://spdx.org/rdf/3.0.1/terms/Licensing/NoAssertion"

struct graph {
    const struct bom_facts *b;
    struct arena *a;
    cJSON *nodes;
    cJSON *document;                /* whose list of elements grows with the graph */
    const char *package;            /* id of the model */
};

static const char *id_of(const struct graph *g, const char *word)
{
    return arena_printf(g->a, "urn:uuid:%s", bom_uuid(g->b, word, g->a));
}

/* A node of the graph; `word` is what its id is made of. */
static cJSON *add_node(struct graph *g, const char *type, const char *word)
{
    cJSON *node = cJSON_CreateObject();

    cJSON_AddStringToObject(node, "type", type);
    cJSON_AddStringToObject(node, "spdxId", id_of(g, word));
    cJSON_AddStringToObject(node, "creationInfo", "_:created");
    cJSON_AddItemToArray(g->nodes, node);
    if (g->document)
        cJSON_AddItemToArray(g->document, cJSON_CreateString(id_of(g, word)));
    return node;
}

static void add_relation(struct graph *g, const char *type, const char *to)
{
    cJSON *node = add_node(g, "Relationship", arena_printf(g->a, "%s %s", type, to));

    cJSON_AddStringToObject(node, "relationshipType", type);
    cJSON_AddStringToObject(node, "from", g->package);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(node, "to"), cJSON_CreateString(to));
}

static void add_hash(cJSON *node, const char *sha256)
{
    cJSON *hash = cJSON_CreateObject();

    cJSON_AddStringToObject(hash, "type", "Hash");
    cJSON_AddStringToObject(hash, "algorithm", "sha256");
    cJSON_AddStringToObject(hash, "hashValue", sha256);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(node, "verifiedUsing"), hash);
}

/* Who made this document, and the document itself. */
static void add_creation(struct graph *g)
{
    cJSON *info = cJSON_CreateObject(), *agent, *document, *list;
    static const char *const profiles[] = { "core", "software", "ai", "simpleLicensing" };

    cJSON_AddStringToObject(info, "type", "CreationInfo");
    cJSON_AddStringToObject(info, "@id", "_:created");
    cJSON_AddStringToObject(info, "specVersion", "3.0.1");
    cJSON_AddStringToObject(info, "created", g->b->time);
    cJSON_AddItemToArray(cJSON_AddArrayToObject(info, "createdBy"), cJSON_CreateString(id_of(g, "agent")));
    cJSON_AddItemToArray(g->nodes, info);
    document = add_node(g, "SpdxDocument", "document");
    list = cJSON_AddArrayToObject(document, "profileConformance");
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(profiles[i]));
    cJSON_AddItemToArray(cJSON_AddArrayToObject(document, "rootElement"), cJSON_CreateString(g->package));
    g->document = cJSON_AddArrayToObject(document, "element");
    agent = add_node(g, "SoftwareAgent", "agent");
    json_add_text_if(agent, "name", "bantam " BANTAM_VERSION);
}

static void add_parameter(cJSON *list, const char *key, const char *value)
{
    cJSON *item;

    if (!value)
        return;
    item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "type", "DictionaryEntry");
    cJSON_AddStringToObject(item, "key", key);
    json_add_text_if(item, "value", value);
    cJSON_AddItemToArray(list, item);
}

static void add_package(struct graph *g)
{
    const struct bom_facts *b = g->b;
    cJSON *supplier = add_node(g, "Organization", "supplier"), *p, *list;

    json_add_text_if(supplier, "name", b->organization ? b->organization : "NOASSERTION");
    p = add_node(g, "ai_AIPackage", "model");
    json_add_text_if(p, "name", b->name);
    json_add_text_if(p, "software_packageVersion", b->version ? b->version : "NOASSERTION");
    json_add_text_if(p, "software_downloadLocation", b->url ? b->url : "NOASSERTION");
    cJSON_AddStringToObject(p, "software_primaryPurpose", "model");
    cJSON_AddStringToObject(p, "suppliedBy", id_of(g, "supplier"));
    json_add_text_if(p, "releaseTime", b->time);
    json_add_text_if(p, "comment", "releaseTime is that of the newest file, as the publisher's is not known");
    cJSON_AddItemToArray(cJSON_AddArrayToObject(p, "ai_typeOfModel"),
                         cJSON_CreateString(b->architecture ? b->architecture : "neural network"));
    list = cJSON_AddArrayToObject(p, "ai_hyperparameter");
    add_parameter(list, "weights", arena_printf(g->a, "%" PRIu64, b->weights));
    add_parameter(list, "quantization", b->type);
    add_parameter(list, "bits-per-weight", arena_printf(g->a, "%.4f", b->bits));
    if (b->nfiles && !b->hf_class)
        add_hash(p, b->file[0].sha256);
}

static void add_files(struct graph *g)
{
    for (size_t i = 0; i < g->b->nfiles; i++) {
        const char *word = arena_printf(g->a, "file %s", g->b->file[i].name);
        cJSON *node = add_node(g, "software_File", word);

        json_add_text_if(node, "name", g->b->file[i].name);
        add_hash(node, g->b->file[i].sha256);
        add_relation(g, "contains", id_of(g, word));
    }
}

/* "LicenseRef-..." of a license that SPDX does not list: letters, digits, '.' and '-'. */
static const char *reference_of(const struct license *l, const char *word, struct arena *a)
{
    char *ref = l && l->ref ? arena_printf(a, "LicenseRef-scancode-%s", l->ref) : arena_printf(a, "LicenseRef-%s", l ? l->id : word);

    for (char *p = ref; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-", *p))
            *p = '-';
    return ref;
}

/* The id of an expression node; NULL for neither a license nor a word: nothing is asserted. */
static const char *add_expression(struct graph *g, const struct license *l, const char *word, const char *how)
{
    const char *text = l && l->spdx ? l->spdx : reference_of(l, word, g->a);
    cJSON *node;

    if (!l && !word)
        return NO_ASSERTION;
    node = add_node(g, "simplelicensing_LicenseExpression", arena_printf(g->a, "license %s", how));
    cJSON_AddStringToObject(node, "simplelicensing_licenseExpression", text);
    if (l && !l->spdx && l->link) {
        cJSON *entry = cJSON_CreateObject();

        cJSON_AddStringToObject(entry, "type", "DictionaryEntry");
        cJSON_AddStringToObject(entry, "key", text);
        json_add_text_if(entry, "value", l->link);
        cJSON_AddItemToArray(cJSON_AddArrayToObject(node, "simplelicensing_customIdToUri"), entry);
    }
    return id_of(g, arena_printf(g->a, "license %s", how));
}

static void add_licenses(struct graph *g)
{
    const struct licensing *l = g->b->license;
    const struct license *declared = l->declared ? license_named(l->declared) : NULL;

    add_relation(g, "hasDeclaredLicense", add_expression(g, declared, l->declared, "declared"));
    /* A tag alone is what somebody declared: nothing is concluded from it. */
    add_relation(g, "hasConcludedLicense", add_expression(g, l->level >= LEVEL_PHRASES ? l->license : NULL, NULL, "concluded"));
}

static void add_parents(struct graph *g)
{
    const struct evidence_list *e = &g->b->license->evidence;

    for (size_t i = 0; i < e->nparents; i++) {
        const char *word = arena_printf(g->a, "parent %s", e->parent[i].id);
        cJSON *node = add_node(g, "software_Package", word);

        json_add_text_if(node, "name", e->parent[i].id);
        cJSON_AddStringToObject(node, "software_primaryPurpose", "model");
        add_relation(g, "descendantOf", id_of(g, word));
    }
    for (size_t i = 0; i < g->b->ndatasets; i++) {
        const char *word = arena_printf(g->a, "data %s", g->b->dataset[i]);
        cJSON *node = add_node(g, "software_Package", word);

        json_add_text_if(node, "name", g->b->dataset[i]);
        cJSON_AddStringToObject(node, "software_primaryPurpose", "data");
        add_relation(g, "trainedOn", id_of(g, word));
    }
}

cJSON *bom_spdx(const struct bom_facts *b, struct arena *a)
{
    cJSON *root = cJSON_CreateObject();
    struct graph g = { .b = b, .a = a };

    cJSON_AddStringToObject(root, "@context", "https://spdx.org/rdf/3.0.1/spdx-context.jsonld");
    g.nodes = cJSON_AddArrayToObject(root, "@graph");
    g.package = id_of(&g, "model");
    add_creation(&g);
    add_package(&g);
    add_files(&g);
    add_licenses(&g);
    add_parents(&g);
    return root;
}
