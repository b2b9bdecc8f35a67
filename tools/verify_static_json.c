/* verify_static_json.c - what verify --static found, as one JSON document. */
#include "tools/report.h"
#include "tools/verify_static.h"

#include <math.h>
#include <string.h>
static double ratio(double a, double b)
{
    return b > 0 ? a / b : a > 0 ? INFINITY : 0;
}

static cJSON *tensor_json(const struct static_tensor *t)
{
    const struct replay_result *r = &t->result;
    cJSON *item = cJSON_CreateObject();

    json_add_text(item, "name", t->name);
    json_add_text(item, "state", static_state_word(t->state));
    json_add_text(item, "type", t->found ? t->found->type->label : NULL);
    json_add_text(item, "source", t->from);
    cJSON_AddItemToObject(item, "sources", json_whole(t->from ? t->more + 1 : 0));
    json_add_text(item, "how", t->how);
    json_add_text(item, "finding", t->finding);
    if (!r->weights)
        return item;
    cJSON_AddNumberToObject(item, "rmse", sqrt(r->error / (double)r->weights));
    cJSON_AddNumberToObject(item, "nmse", ratio(r->error, r->energy));
    cJSON_AddNumberToObject(item, "max", r->most);
    cJSON_AddNumberToObject(item, "error_beside_bantam", r->error == r->ours ? 1 : ratio(r->error, r->ours));
    cJSON_AddItemToObject(item, "blocks", json_whole(r->blocks));
    cJSON_AddItemToObject(item, "exact_blocks", json_whole(replay_exact(r)));
    cJSON_AddItemToObject(item, "exact_by_way_of_f16", json_whole(r->exact[ROAD_F16]));
    cJSON_AddItemToObject(item, "exact_by_way_of_bf16", json_whole(r->exact[ROAD_BF16]));
    cJSON_AddItemToObject(item, "other_blocks", json_whole(r->blocks - replay_exact(r)));
    cJSON_AddItemToObject(item, "bad_blocks", json_whole(r->bad_blocks));
    cJSON_AddItemToObject(item, "bad_rows", json_whole(r->bad_rows));
    return item;
}

static cJSON *keys_json(const struct key_list *keys)
{
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "expected", json_whole(keys->expected));
    cJSON_AddItemToObject(root, "equal", json_whole(keys->equal));
    cJSON_AddItemToObject(root, "implied", json_whole(keys->implied));
    list = cJSON_AddArrayToObject(root, "differences");
    for (size_t i = 0; i < keys->n; i++) {
        const struct key_difference *d = &keys->item[i];
        cJSON *item = cJSON_CreateObject();
        json_add_text(item, "key", d->key);
        json_add_text(item, "expected", d->expected);
        json_add_text(item, "found", d->found);
        cJSON_AddBoolToObject(item, "damage", d->damage);
        json_add_text(item, "why", d->why);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

static cJSON *account_json(const struct static_result *t)
{
    static const char *const fates[] = { [ACCOUNT_PENDING] = "pending", [ACCOUNT_USED] = "used", [ACCOUNT_IGNORED] = "ignored" };
    const struct static_check *s = t->check;
    cJSON *root = cJSON_CreateObject(), *list;

    cJSON_AddItemToObject(root, "tensors_used", json_whole(s->tensors_used));
    cJSON_AddItemToObject(root, "tensors_ignored", json_whole(s->tensors_ignored));
    cJSON_AddItemToObject(root, "keys_used", json_whole(s->keys_used));
    cJSON_AddItemToObject(root, "keys_ignored", json_whole(s->keys_ignored));
    list = cJSON_AddArrayToObject(root, "keys");
    for (size_t i = 0; i < t->account->n; i++) {
        const struct account_entry *e = &t->account->entry[i];
        cJSON *item;
        if (e->kind == ACCOUNT_TENSOR && e->fate == ACCOUNT_USED)
            continue;                                       /* under its tensor */
        item = cJSON_CreateObject();
        json_add_text(item, "kind", e->kind == ACCOUNT_TENSOR ? "tensor" : "key");
        json_add_text(item, "name", e->name);
        json_add_text(item, "fate", fates[e->fate]);
        json_add_text(item, "to", e->to);
        cJSON_AddItemToArray(list, item);
    }
    return root;
}

cJSON *static_json(const struct static_result *t)
{
    const struct static_check *s = t->check;
    cJSON *root = cJSON_CreateObject(), *item;

    json_add_text(root, "verdict", s->damaged ? "differs" : "sound");
    json_add_text(root, "candidate", t->out);
    json_add_text(root, "original", t->args->against);
    item = cJSON_AddObjectToObject(root, "count");
    for (int i = 0; i < STATIC_STATES; i++)
        cJSON_AddItemToObject(item, static_state_word((enum static_state)i), json_whole(s->count[i]));
    item = cJSON_AddArrayToObject(root, "tensors");
    for (size_t i = 0; i < s->ntensors; i++)
        cJSON_AddItemToArray(item, tensor_json(&s->tensor[i]));
    cJSON_AddItemToObject(root, "keys", keys_json(&s->keys));
    item = cJSON_AddObjectToObject(root, "tokenizer");
    cJSON_AddBoolToObject(item, "compared", s->tokenizers_compared);
    cJSON_AddItemToObject(item, "equal", s->tokenizers_compared ? cJSON_CreateBool(!s->tokenizer) : cJSON_CreateNull());
    cJSON_AddBoolToObject(item, "damage", s->tokenizer && !s->tokenizer_meant);
    json_add_text(item, "difference", s->tokenizer);
    cJSON_AddItemToObject(root, "source", account_json(t));
    cJSON_AddItemToObject(root, "bytes", json_whole(s->nbytes));
    cJSON_AddNumberToObject(root, "seconds", t->seconds);
    cJSON_AddItemToObject(root, "peak_bytes", json_whole(peak_nbytes()));
    return root;
}
