/* bom_cyclonedx.c - CycloneDX 1.6. */
#include "tools/bom.h"

#include "tools/report.h"

#include <inttypes.h>
#include <string.h>

static void add_hashes(cJSON *item, const char *sha256)
{
    cJSON *list = cJSON_AddArrayToObject(item, "hashes"), *hash = cJSON_CreateObject();

    cJSON_AddStringToObject(hash, "alg", "SHA-256");
    cJSON_AddStringToObject(hash, "content", sha256);
    cJSON_AddItemToArray(list, hash);
}

static void add_property(cJSON *list, const char *name, const char *value)
{
    cJSON *item;

    if (!value)
        return;
    item = cJSON_CreateObject();
    cJSON_AddStringToObject(item, "name", name);
    json_add_text_if(item, "value", value);
    cJSON_AddItemToArray(list, item);
}

static void add_license(cJSON *list, const char *spdx, const char *name, const char *url, const char *how)
{
    cJSON *item = cJSON_CreateObject(), *license = cJSON_AddObjectToObject(item, "license");

    json_add_text_if(license, spdx ? "id" : "name", spdx ? spdx : name);
    cJSON_AddStringToObject(license, "acknowledgement", how);
    json_add_text_if(license, "url", url);
    cJSON_AddItemToArray(list, item);
}

/* What the tags declare and what the texts come to; two entries that differ are a conflict. */
static void add_licenses(cJSON *component, const struct licensing *l)
{
    const struct license *declared = l->declared ? license_named(l->declared) : NULL;
    cJSON *list;

    if (!l->declared && !l->license)
        return;
    list = cJSON_AddArrayToObject(component, "licenses");
    if (declared)
        add_license(list, declared->spdx, declared->name, declared->link, "declared");
    else if (l->declared)
        add_license(list, NULL, l->declared, NULL, "declared");
    if (l->license && (l->license != declared || l->level >= LEVEL_PHRASES))
        add_license(list, l->license->spdx, l->license->name, l->license->link, "concluded");
}

static void add_license_properties(cJSON *list, const struct licensing *l, struct arena *a)
{
    add_property(list, "bantam:license:verdict", verdict_word(l->verdict));
    add_property(list, "bantam:license:evidence", evidence_level_word(l->level));
    for (size_t i = 0; i < l->nconflicts; i++)
        add_property(list, "bantam:license:conflict", l->conflict[i]);
    if (!l->license)
        return;
    add_property(list, "bantam:license:id", l->license->id);
    add_property(list, "bantam:license:commercial-use", license_use_word(l->license->commercial));
    for (int i = 0; i < 2; i++)
        if (l->license->threshold[i].measure != MEASURE_NONE)
            add_property(list, arena_printf(a, "bantam:license:threshold:%s", license_measure_word(l->license->threshold[i].measure)),
                         arena_printf(a, "%" PRIu64, l->license->threshold[i].above));
    add_property(list, "bantam:license:show", l->license->show);
}

static void add_pedigree(cJSON *component, const struct bom_facts *b, struct arena *a)
{
    const struct evidence_list *e = &b->license->evidence;
    cJSON *pedigree, *list;

    if (!e->nparents && !b->type)
        return;
    pedigree = cJSON_AddObjectToObject(component, "pedigree");
    list = e->nparents ? cJSON_AddArrayToObject(pedigree, "ancestors") : NULL;
    for (size_t i = 0; i < e->nparents; i++) {
        const char *id = e->parent[i].id, *slash = strchr(id, '/');
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "type", "machine-learning-model");
        if (slash)
            json_add_text_if(item, "group", arena_copy(a, id, (size_t)(slash - id)));
        json_add_text_if(item, "name", slash ? slash + 1 : id);
        cJSON_AddItemToArray(list, item);
    }
    if (b->type)
        json_add_text_if(pedigree, "notes", arena_printf(a, "weights as %s, %.2f bits each", b->type, b->bits));
}

static void add_formats(cJSON *parameters, const char *key)
{
    cJSON *list = cJSON_AddArrayToObject(parameters, key), *item = cJSON_CreateObject();

    cJSON_AddStringToObject(item, "format", "text");
    cJSON_AddItemToArray(list, item);
}

static void add_card(cJSON *component, const struct bom_facts *b, struct arena *a)
{
    cJSON *parameters = cJSON_AddObjectToObject(cJSON_AddObjectToObject(component, "modelCard"), "modelParameters"), *list;

    json_add_text_if(parameters, "architectureFamily", b->architecture);
    json_add_text_if(parameters, "modelArchitecture", b->hf_class);
    if (b->ndatasets) {
        list = cJSON_AddArrayToObject(parameters, "datasets");
        for (size_t i = 0; i < b->ndatasets; i++) {
            cJSON *item = cJSON_CreateObject();

            json_add_text_if(item, "ref", arena_printf(a, "data-%zu", i + 1));
            cJSON_AddItemToArray(list, item);
        }
    }
    if (b->architecture) {
        add_formats(parameters, "inputs");
        add_formats(parameters, "outputs");
    }
}

static cJSON *main_component(const struct bom_facts *b, struct arena *a)
{
    cJSON *c = cJSON_CreateObject(), *list, *item;

    cJSON_AddStringToObject(c, "type", "machine-learning-model");
    cJSON_AddStringToObject(c, "bom-ref", "model");
    json_add_text_if(c, "group", b->organization);
    json_add_text_if(c, "name", b->name);
    json_add_text_if(c, "version", b->version);
    if (b->nfiles && !b->hf_class)      /* a file is its model; a directory's files are listed */
        add_hashes(c, b->file[0].sha256);
    add_licenses(c, b->license);
    add_pedigree(c, b, a);
    if (b->url) {
        list = cJSON_AddArrayToObject(c, "externalReferences");
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "type", "model-card");
        json_add_text_if(item, "url", b->url);
        cJSON_AddItemToArray(list, item);
    }
    add_card(c, b, a);
    list = cJSON_AddArrayToObject(c, "properties");
    add_property(list, "bantam:weights", arena_printf(a, "%" PRIu64, b->weights));
    add_property(list, "bantam:type", b->type);
    add_property(list, "bantam:bits-per-weight", arena_printf(a, "%.4f", b->bits));
    add_license_properties(list, b->license, a);
    return c;
}

static cJSON *metadata(const struct bom_facts *b, struct arena *a)
{
    cJSON *root = cJSON_CreateObject(), *list, *tool = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "timestamp", b->time);
    list = cJSON_AddArrayToObject(cJSON_AddObjectToObject(root, "tools"), "components");
    cJSON_AddStringToObject(tool, "type", "application");
    cJSON_AddStringToObject(tool, "name", "bantam");
    cJSON_AddStringToObject(tool, "version", BANTAM_VERSION);
    cJSON_AddItemToArray(list, tool);
    cJSON_AddItemToObject(root, "component", main_component(b, a));
    return root;
}

static cJSON *components(const struct bom_facts *b, struct arena *a)
{
    cJSON *list = cJSON_CreateArray(), *item, *data;

    for (size_t i = 0; i < b->nfiles; i++) {
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "type", "file");
        json_add_text_if(item, "bom-ref", arena_printf(a, "file-%zu", i + 1));
        json_add_text_if(item, "name", b->file[i].name);
        add_hashes(item, b->file[i].sha256);
        cJSON_AddItemToArray(list, item);
    }
    for (size_t i = 0; i < b->ndatasets; i++) {
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "type", "data");
        json_add_text_if(item, "bom-ref", arena_printf(a, "data-%zu", i + 1));
        json_add_text_if(item, "name", b->dataset[i]);
        data = cJSON_CreateObject();
        cJSON_AddStringToObject(data, "type", "dataset");
        cJSON_AddItemToArray(cJSON_AddArrayToObject(item, "data"), data);
        cJSON_AddItemToArray(list, item);
    }
    return list;
}

static cJSON *dependencies(const struct bom_facts *b, struct arena *a)
{
    cJSON *list = cJSON_CreateArray(), *item = cJSON_CreateObject(), *on;

    cJSON_AddStringToObject(item, "ref", "model");
    on = cJSON_AddArrayToObject(item, "dependsOn");
    for (size_t i = 0; i < b->nfiles; i++)
        cJSON_AddItemToArray(on, cJSON_CreateString(arena_printf(a, "file-%zu", i + 1)));
    for (size_t i = 0; i < b->ndatasets; i++)
        cJSON_AddItemToArray(on, cJSON_CreateString(arena_printf(a, "data-%zu", i + 1)));
    cJSON_AddItemToArray(list, item);
    return list;
}

cJSON *bom_cyclonedx(const struct bom_facts *b, struct arena *a)
{
    cJSON *root = cJSON_CreateObject();

    cJSON_AddStringToObject(root, "$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json");
    cJSON_AddStringToObject(root, "bomFormat", "CycloneDX");
    cJSON_AddStringToObject(root, "specVersion", "1.6");
    json_add_text_if(root, "serialNumber", arena_printf(a, "urn:uuid:%s", bom_uuid(b, "cyclonedx", a)));
    cJSON_AddNumberToObject(root, "version", 1);
    cJSON_AddItemToObject(root, "metadata", metadata(b, a));
    cJSON_AddItemToObject(root, "components", components(b, a));
    cJSON_AddItemToObject(root, "dependencies", dependencies(b, a));
    return root;
}
