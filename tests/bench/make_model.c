/* make_model.c - a Hugging Face directory of random bf16 weights with a Llama's shapes, for measuring:
 *
 *     make_model DIR LAYERS WIDTH FEED_FORWARD HEADS KV_HEADS VOCABULARY
 *
 * The tokenizer is copied in by the caller; the list of pieces is padded to VOCABULARY. Weights are normal, with the
 * spread of trained ones (0.02), from a fixed seed: the same arguments make the same bytes. Beside the model lies
 * imatrix.dat, an importance matrix in llama.cpp's older layout, spread over four powers of two. */
#include "tests/bench/entries.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static uint32_t next(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

/* The sum of four uniform 16-bit numbers is normal enough for a quantizer, and fast. */
static uint16_t weight(void)
{
    uint32_t r = next(), s = next();
    float sum = (float)(r & 0xffff) + (float)(r >> 16) + (float)(s & 0xffff) + (float)(s >> 16) - 2 * 65535.0f;
    float w = sum * (0.02f / 37837.0f);
    uint32_t bits;

    memcpy(&bits, &w, 4);
    return (uint16_t)(bits >> 16);
}

static size_t list(struct entry *e, uint64_t layers, uint64_t width, uint64_t ff, uint64_t heads, uint64_t kv, uint64_t vocab)
{
    uint64_t head = width / heads;
    const struct { const char *name; uint64_t rows, columns; } block[] = {
        { "input_layernorm", width, 0 }, { "mlp.down_proj", width, ff }, { "mlp.gate_proj", ff, width }, { "mlp.up_proj", ff, width },
        { "post_attention_layernorm", width, 0 }, { "self_attn.k_proj", kv * head, width }, { "self_attn.o_proj", width, width },
        { "self_attn.q_proj", width, width }, { "self_attn.v_proj", kv * head, width },
    };
    size_t n = 0;

    e[n++] = (struct entry){ "lm_head.weight", vocab, width };
    e[n++] = (struct entry){ "model.embed_tokens.weight", vocab, width };
    for (uint64_t l = 0; l < layers; l++)
        for (size_t k = 0; k < sizeof block / sizeof *block; k++, n++) {
            e[n].rows = block[k].rows, e[n].columns = block[k].columns;
            snprintf(e[n].name, sizeof e[n].name, "model.layers.%d.%s.weight", (int)l, block[k].name);
        }
    e[n++] = (struct entry){ "model.norm.weight", width, 0 };
    return n;
}

static void write_weights(FILE *to, const struct entry *e, size_t n)
{
    enum { BATCH = 1 << 16 };
    static uint16_t batch[BATCH];

    for (size_t i = 0; i < n; i++)
        for (uint64_t left = entry_bytes(&e[i]) / 2; left;) {
            uint64_t now = left < BATCH ? left : BATCH;

            for (uint64_t k = 0; k < now; k++)
                batch[k] = e[i].columns ? weight() : 0x3f80;
            fwrite(batch, 2, now, to);
            left -= now;
        }
}

static void write_safetensors(const char *dir, const struct entry *e, size_t n)
{
    FILE *to = create(dir, "model.safetensors");

    put_header(to, e, n);
    write_weights(to, e, n);
    fclose(to);
}

static void write_u32(FILE *to, uint32_t u)
{
    fwrite(&u, sizeof u, 1, to);
}

/* i32 entries; each: i32 bytes of the name, the name, i32 calls, i32 columns, f32 sums of squares; then i32 calls and
 * the data set's name, as the older llama-imatrix writes it. */
static void write_imatrix(const char *dir, uint64_t layers, uint64_t width, uint64_t ff)
{
    static const char *const names[] = { "attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down" };
    enum { NAMES = sizeof names / sizeof *names };
    FILE *to = create(dir, "imatrix.dat");

    write_u32(to, (uint32_t)layers * NAMES);
    for (uint64_t i = 0; i < layers * NAMES; i++) {
        char name[64];
        uint64_t columns = i % NAMES == NAMES - 1 ? ff : width;
        int n = snprintf(name, sizeof name, "blk.%d.%s.weight", (int)(i / NAMES), names[i % NAMES]);
        write_u32(to, (uint32_t)n);
        fwrite(name, 1, (size_t)n, to);
        write_u32(to, 1);
        write_u32(to, (uint32_t)columns);
        for (uint64_t k = 0; k < columns; k++) {
            float importance = exp2f((float)(next() & 0xffff) / 16384.0f);
            fwrite(&importance, sizeof importance, 1, to);
        }
    }
    write_u32(to, 1);
    write_u32(to, 5);
    fwrite("bench", 1, 5, to);
    fclose(to);
}

int main(int argc, char **argv)
{
    unsigned long long v[6];
    struct entry *e;
    FILE *config;

    if (argc != 8) {
        fprintf(stderr, "usage: make_model DIR LAYERS WIDTH FEED_FORWARD HEADS KV_HEADS VOCABULARY\n");
        return 2;
    }
    for (int i = 0; i < 6; i++)
        v[i] = strtoull(argv[i + 2], NULL, 10);
    e = calloc(v[0] * 9 + 8, sizeof *e);
    write_safetensors(argv[1], e, list(e, v[0], v[1], v[2], v[3], v[4], v[5]));
    free(e);
    write_imatrix(argv[1], v[0], v[1], v[2]);
    config = create(argv[1], "config.json");
    fprintf(config, "{\"architectures\": [\"LlamaForCausalLM\"], \"model_type\": \"llama\", \"hidden_act\": \"silu\",\n"
            " \"bos_token_id\": 1, \"eos_token_id\": 2, \"rms_norm_eps\": 1e-05, \"rope_theta\": 10000.0, \"torch_dtype\": \"bfloat16\",\n"
            " \"max_position_embeddings\": 2048, \"tie_word_embeddings\": false, \"num_hidden_layers\": %llu, \"hidden_size\": %llu,\n"
            " \"intermediate_size\": %llu, \"num_attention_heads\": %llu, \"num_key_value_heads\": %llu, \"vocab_size\": %llu}\n",
            v[0], v[1], v[2], v[3], v[4], v[5]);
    fclose(config);
    return 0;
}
