/* make_sparse.c - a Hugging Face directory with the names, shapes and number of files of a published model, hundreds of gigabytes
 * of weights that are holes in sparse files (they read as zeros) and a few megabytes on disk:
 *
 *     make_sparse DIR MODEL [LAYERS]      MODEL: llama-405b, mixtral-8x22b, gpt2-wide; LAYERS: fewer than the model has
 *
 * The tokenizer is copied in by the caller; the list of pieces is padded to the vocabulary. */
#include "tests/bench/entries.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct matrix {
    const char *name;           /* %d: the layer, %e: the expert */
    uint64_t rows, columns;     /* columns 0: a vector */
};

struct shape {
    const char *name;
    int layers, shards, experts;
    const char *config;
    struct matrix matrix[24];
};

#define LLAMA_LAYER(width, kv) \
    { "model.layers.%d.input_layernorm.weight", width, 0 }, { "model.layers.%d.post_attention_layernorm.weight", width, 0 }, \
    { "model.layers.%d.self_attn.q_proj.weight", width, width }, { "model.layers.%d.self_attn.k_proj.weight", kv, width }, \
    { "model.layers.%d.self_attn.v_proj.weight", kv, width }, { "model.layers.%d.self_attn.o_proj.weight", width, width }
#define LLAMA_ENDS(vocabulary, width) \
    { "lm_head.weight", vocabulary, width }, { "model.embed_tokens.weight", vocabulary, width }, { "model.norm.weight", width, 0 }

static const struct shape shapes[] = {
    { "llama-405b", 126, 191, 0,
      "{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\",\"hidden_size\":16384,\"intermediate_size\":53248,"
      "\"num_attention_heads\":128,\"num_key_value_heads\":8,\"num_hidden_layers\":%d,\"vocab_size\":128256,\"rms_norm_eps\":1e-05,"
      "\"max_position_embeddings\":131072,\"rope_theta\":500000.0,\"rope_scaling\":{\"factor\":8.0,\"low_freq_factor\":1.0,"
      "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"},\"hidden_act\":\"silu\","
      "\"tie_word_embeddings\":false,\"torch_dtype\":\"bfloat16\"}\n",
      { LLAMA_ENDS(128256, 16384), LLAMA_LAYER(16384, 1024), { "model.layers.%d.mlp.gate_proj.weight", 53248, 16384 },
        { "model.layers.%d.mlp.up_proj.weight", 53248, 16384 }, { "model.layers.%d.mlp.down_proj.weight", 16384, 53248 } } },
    { "mixtral-8x22b", 56, 59, 8,
      "{\"architectures\":[\"MixtralForCausalLM\"],\"model_type\":\"mixtral\",\"hidden_size\":6144,\"intermediate_size\":16384,"
      "\"num_attention_heads\":48,\"num_key_value_heads\":8,\"num_hidden_layers\":%d,\"vocab_size\":32768,\"rms_norm_eps\":1e-05,"
      "\"max_position_embeddings\":65536,\"rope_theta\":1000000.0,\"num_local_experts\":8,\"num_experts_per_tok\":2,"
      "\"hidden_act\":\"silu\",\"tie_word_embeddings\":false,\"torch_dtype\":\"bfloat16\"}\n",
      { LLAMA_ENDS(32768, 6144), LLAMA_LAYER(6144, 1024), { "model.layers.%d.block_sparse_moe.gate.weight", 8, 6144 },
        { "model.layers.%d.block_sparse_moe.experts.%e.w1.weight", 16384, 6144 },
        { "model.layers.%d.block_sparse_moe.experts.%e.w2.weight", 6144, 16384 },
        { "model.layers.%d.block_sparse_moe.experts.%e.w3.weight", 16384, 6144 } } },
    { "gpt2-wide", 4, 1, 0,     /* no published model: Conv1D matrices of hundreds of megabytes */
      "{\"architectures\":[\"GPT2LMHeadModel\"],\"model_type\":\"gpt2\",\"n_embd\":8192,\"n_inner\":32768,\"n_head\":64,\"n_layer\":%d,"
      "\"n_positions\":2048,\"vocab_size\":50257,\"layer_norm_epsilon\":1e-05,\"activation_function\":\"gelu_new\","
      "\"torch_dtype\":\"bfloat16\"}\n",
      { { "transformer.wte.weight", 50257, 8192 }, { "transformer.wpe.weight", 2048, 8192 }, { "transformer.ln_f.weight", 8192, 0 },
        { "transformer.ln_f.bias", 8192, 0 }, { "transformer.h.%d.ln_1.weight", 8192, 0 }, { "transformer.h.%d.ln_1.bias", 8192, 0 },
        { "transformer.h.%d.ln_2.weight", 8192, 0 }, { "transformer.h.%d.ln_2.bias", 8192, 0 },
        { "transformer.h.%d.attn.c_attn.weight", 8192, 24576 }, { "transformer.h.%d.attn.c_attn.bias", 24576, 0 },
        { "transformer.h.%d.attn.c_proj.weight", 8192, 8192 }, { "transformer.h.%d.attn.c_proj.bias", 8192, 0 },
        { "transformer.h.%d.mlp.c_fc.weight", 8192, 32768 }, { "transformer.h.%d.mlp.c_fc.bias", 32768, 0 },
        { "transformer.h.%d.mlp.c_proj.weight", 32768, 8192 }, { "transformer.h.%d.mlp.c_proj.bias", 8192, 0 } } },
};

/* The pattern with %d and %e replaced. */
static void spell(char name[96], const char *pattern, int layer, int expert)
{
    char *to = name;

    for (; *pattern; pattern++)
        if (*pattern == '%')
            to += sprintf(to, "%d", *++pattern == 'd' ? layer : expert);
        else
            *to++ = *pattern;
    *to = '\0';
}

/* Layer by layer, as published files have them; what belongs to none first. */
static size_t list(const struct shape *s, int layers, struct entry *e)
{
    size_t n = 0;

    for (int layer = -1; layer < layers; layer++)
        for (const struct matrix *m = s->matrix; m->name; m++)
            for (int expert = 0; expert < (strstr(m->name, "%e") ? s->experts : 1); expert++) {
                if ((strstr(m->name, "%d") != NULL) != (layer >= 0))
                    continue;
                spell(e[n].name, m->name, layer, expert);
                e[n].rows = m->rows, e[n].columns = m->columns;
                n++;
            }
    return n;
}

/* A header, and behind it a hole. */
static void write_shard(const char *dir, const char *name, const struct entry *e, size_t n)
{
    FILE *to = create(dir, name);
    uint64_t nbytes = put_header(to, e, n);

    fflush(to);
    if (ftruncate(fileno(to), (off_t)nbytes)) {
        perror(name);
        exit(1);
    }
    fclose(to);
}

/* Files of about the same size. */
static void write_shards(const char *dir, const struct entry *e, size_t n, int shards)
{
    FILE *index = shards > 1 ? create(dir, "model.safetensors.index.json") : NULL;
    uint64_t total = 0, done = 0;
    size_t from = 0;

    for (size_t i = 0; i < n; i++)
        total += entry_bytes(&e[i]);
    if (index)
        fprintf(index, "{\"metadata\":{\"total_size\":%llu},\"weight_map\":{", (unsigned long long)total);
    for (int shard = 1; shard <= shards; shard++) {
        char name[64] = "model.safetensors";
        size_t to = from;

        if (index)
            snprintf(name, sizeof name, "model-%05d-of-%05d.safetensors", shard, shards);
        while (to < n && (shard == shards || done < total / (uint64_t)shards * (uint64_t)shard)) {
            done += entry_bytes(&e[to]);
            if (index)
                fprintf(index, "%s\"%s\":\"%s\"", to ? "," : "", e[to].name, name);
            to++;
        }
        write_shard(dir, name, e + from, to - from);
        from = to;
    }
    if (index) {
        fputs("}}\n", index);
        fclose(index);
    }
    printf("%zu tensors, %.0f GB in name, %d files\n", n, (double)total / 1e9, shards);
}

int main(int argc, char **argv)
{
    const struct shape *s = NULL;
    struct entry *e = calloc(200000, sizeof *e);
    FILE *config;
    int layers;

    for (size_t i = 0; argc > 2 && i < sizeof shapes / sizeof *shapes; i++)
        if (strcmp(shapes[i].name, argv[2]) == 0)
            s = &shapes[i];
    if (!s || !e) {
        fputs("usage: make_sparse DIR llama-405b|mixtral-8x22b|gpt2-wide [LAYERS]\n", stderr);
        return 2;
    }
    layers = argc > 3 ? atoi(argv[3]) : s->layers;
    mkdir(argv[1], 0777);
    config = create(argv[1], "config.json");
    fprintf(config, s->config, layers);
    fclose(config);
    write_shards(argv[1], e, list(s, layers, e), argc > 3 ? 1 : s->shards);
    free(e);
    return 0;
}
