/* mixes.c - the names that --type takes, and the rules of each: llama.cpp's src/llama-quant.cpp (October 2026), names from its
 * tools/quantize/quantize.cpp, file types from include/llama.h. See recipe.c for how lists are walked. */
#include "convert/mixes.h"

#include <string.h>
#include <strings.h>

const struct recipe_rule mixes_before[] = {
    { LATENT_Q, ALL, GLM5_NEXT, 0, "q8_0" },
    { OUTPUT, ALL, FALCON, 0, "q8_0" },
    { OUTPUT, ALL, MISFIT, 0, "q8_0" },
    { ATTN_V, ALL, EXPERTS8, FEW_BITS, "q8_0" },
    { ATTN_K, ALL, EXPERTS8, FEW_BITS, "q8_0" },
    { 0 }
};
const struct recipe_rule mixes_after[] = { { OUTPUT, ALL, 0, 0, "q6_k" }, { 0 } };

static const struct recipe_rule none[] = { { 0 } };
static const struct recipe_rule q8_0[] = { { OUTPUT, ALL, 0, 0, "q8_0" }, { 0 } };
static const struct recipe_rule q4_0[] = { { FFN_DOWN, FIRST_8TH, IMATRIX, 0, "q4_1" }, { 0 } };
static const struct recipe_rule q5_0[] = { { FFN_DOWN, FIRST_8TH, IMATRIX, 0, "q5_1" }, { 0 } };
static const struct recipe_rule ternary[] = { { TOKEN_EMBD, ALL, 0, 0, "q4_k" }, { 0 } };
static const struct recipe_rule mxfp4_moe[] = {
    { OUTPUT, ALL, 0, 0, "q8_0" },
    { FFN_UP, ALL, STACKED, 0, "mxfp4" },
    { FFN_GATE, ALL, STACKED, 0, "mxfp4" },
    { FFN_DOWN, ALL, STACKED, 0, "mxfp4" },
    { ANY, ALL, STACKED, BAILING3, "mxfp4" },
    { ANY, ALL, 0, 0, "q8_0" },
    { 0 }
};

static const struct recipe_rule q2_k[] = {
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, GQA4, 0, "q4_k" },
    { ATTN_V, ALL, 0, 0, "q3_k" },
    { FFN_DOWN, ALL, 0, 0, "q3_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { ATTN_OUT, ALL, 0, FALCON, "q3_k" },
    { 0 }
};
static const struct recipe_rule q2_k_s[] = {
    { ATTN_V, ALL, GQA4 | LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, GQA4, 0, "q4_k" },
    { FFN_DOWN, FIRST_8TH, 0, 0, "q4_k" },
    { 0 }
};
static const struct recipe_rule q3_k_s[] = {
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule q3_k_m[] = {
    { ATTN_V, FIRST_2, 0, 0, "q5_k" },
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, 0, 0, "q4_k" },
    { FFN_DOWN, FIRST_16TH, 0, 0, "q5_k" },
    { FFN_DOWN, ALL, 0, FALCON, "q4_k" },
    { FFN_DOWN, MORE_BITS, 0, 0, "q4_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { ATTN_OUT, ALL, 0, FALCON, "q4_k" },
    { 0 }
};
static const struct recipe_rule q3_k_l[] = {
    { ATTN_V, ALL, 0, 0, "q5_k" },
    { FFN_DOWN, ALL, FALCON, 0, "q4_k" },
    { FFN_DOWN, ALL, 0, 0, "q5_k" },
    { ATTN_OUT, ALL, FALCON, 0, "q4_k" },
    { ATTN_OUT, ALL, 0, EXPERTS8, "q5_k" },
    { 0 }
};
static const struct recipe_rule q4_k_s[] = {
    { ATTN_V, FIRST_4, 0, 0, "q5_k" },
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { FFN_DOWN, FIRST_8TH, 0, FALCON, "q5_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule q4_k_m[] = {
    { ATTN_V, MORE_BITS, 0, 0, "q6_k" },
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { FFN_DOWN, FIRST_16TH, FALCON, 0, "q6_k" },
    { FFN_DOWN, MORE_BITS, FALCON, 0, "q5_k" },
    { FFN_DOWN, MORE_BITS, 0, FALCON, "q6_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule q5_k_m[] = {
    { ATTN_V, MORE_BITS, 0, 0, "q6_k" },
    { FFN_DOWN, MORE_BITS, 0, 0, "q6_k" },
    { 0 }
};

static const struct recipe_rule iq4[] = {
    { ATTN_V, ALL, GQA4, 0, "q5_k" },
    { FFN_DOWN, FIRST_8TH, 0, IMATRIX, "q5_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule iq3_m[] = {
    { ATTN_V, ALL, LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, 0, 0, "q4_k" },
    { FFN_DOWN, FIRST_8TH, 0, 0, "q4_k" },
    { FFN_DOWN, MORE_BITS, EXPERTS8, 0, "q4_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { ATTN_OUT, ALL, 0, FALCON, "q4_k" },
    { 0 }
};
static const struct recipe_rule iq3_s[] = {
    { ATTN_V, ALL, GQA4 | LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, GQA4, 0, "q4_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule iq3_xs[] = {
    { ATTN_V, ALL, GQA4 | LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, GQA4, 0, "q4_k" },
    { ATTN_K, ALL, 0, 0, "iq3_xxs" },
    { ATTN_Q, ALL, 0, 0, "iq3_xxs" },
    { FFN_GATE, MIDDLE, 0, 0, "iq3_xxs" },
    { FFN_UP, MIDDLE, 0, 0, "iq3_xxs" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { 0 }
};
static const struct recipe_rule iq3_xxs[] = {
    { OUTPUT, ALL, 0, 0, "q5_k" },
    { TOKEN_EMBD, ALL, 0, 0, "iq3_s" },
    { ATTN_V, ALL, GQA4 | LLM_70B, 0, "q5_k" },
    { ATTN_V, ALL, GQA4, 0, "q4_k" },
    { ATTN_V, ALL, 0, IMATRIX, "iq3_s" },
    { ATTN_K, ALL, 0, 0, "iq2_s" },
    { ATTN_Q, ALL, 0, 0, "iq2_s" },
    { FFN_DOWN, FIRST_8TH, 0, IMATRIX, "q4_k" },
    { FFN_DOWN, ALL, 0, IMATRIX, "q3_k" },
    { ATTN_OUT, ALL, EXPERTS8, FALCON, "q5_k" },
    { ATTN_OUT, ALL, 0, FALCON, "iq3_s" },
    { 0 }
};

/* The two-bit mixes differ in what they spend on embeddings, attn_v and the first ffn_down; the one-bit ones in attn_output. */
static const struct recipe_rule iq2_s[] = {
    { OUTPUT, ALL, 0, 0, "q5_k" },
    { TOKEN_EMBD, ALL, 0, 0, "iq3_s" },
    { ATTN_V, ALL, SPARSE4, 0, "q4_k" },
    { ATTN_V, ALL, 0, 0, "iq3_s" },
    { ATTN_K, ALL, EXPERTS8, 0, "q4_k" },
    { FFN_DOWN, MET_8TH, 0, 0, "iq3_s" },
    { ATTN_OUT, ALL, EXPERTS8, 0, "q5_k" },
    { ATTN_OUT, ALL, 0, 0, "iq3_s" },
    { 0 }
};
static const struct recipe_rule iq2_xs[] = {
    { OUTPUT, ALL, 0, 0, "q5_k" },
    { TOKEN_EMBD, ALL, 0, 0, "q2_k" },
    { ATTN_V, ALL, SPARSE4, 0, "q4_k" },
    { ATTN_V, ALL, 0, 0, "q2_k" },
    { ATTN_K, ALL, EXPERTS8, 0, "q4_k" },
    { FFN_DOWN, MET_8TH, 0, 0, "q2_k" },
    { ATTN_OUT, ALL, EXPERTS8, 0, "q5_k" },
    { 0 }
};
static const struct recipe_rule iq1[] = {
    { OUTPUT, ALL, 0, 0, "q5_k" },
    { TOKEN_EMBD, ALL, 0, 0, "q2_k" },
    { ATTN_V, ALL, SPARSE4, 0, "q4_k" },
    { ATTN_V, ALL, 0, 0, "q2_k" },
    { ATTN_K, ALL, EXPERTS8, 0, "q4_k" },
    { FFN_DOWN, MET_8TH, 0, 0, "q2_k" },
    { ATTN_OUT, ALL, EXPERTS8, 0, "q5_k" },
    { ATTN_OUT, ALL, 0, 0, "iq2_xxs" },
    { 0 }
};

static const struct recipe recipes[] = {
    { "AUTO", NULL, 0, CONVERTER, none, "every tensor as its source has it" },
    { "COPY", NULL, 0, 0, none, "every tensor as its source has it, nothing quantized" },
    { "F32", "f32", 0, CONVERTER, none, "32 bits, floating point" },
    { "F16", "f16", 1, CONVERTER, none, "16 bits, half precision" },
    { "BF16", "bf16", 32, CONVERTER, none, "16 bits, the range of F32" },
    { "Q8_0", "q8_0", 7, CONVERTER, q8_0, "8.5 bits: as good as the original" },
    { "Q6_K", "q6_k", 18, 0, none, "6.6 bits: very close to the original" },
    { "Q5_K", "q5_k", 17, 0, q5_k_m, "Q5_K_M" },
    { "Q5_K_M", "q5_k", 17, 0, q5_k_m, "5.7 bits: half of attn_v and ffn_down in Q6_K" },
    { "Q5_K_S", "q5_k", 16, 0, none, "5.5 bits" },
    { "Q5_1", "q5_1", 9, 0, none, "6 bits, older" },
    { "Q5_0", "q5_0", 8, 0, q5_0, "5.5 bits, older" },
    { "Q4_K", "q4_k", 15, 0, q4_k_m, "Q4_K_M" },
    { "Q4_K_M", "q4_k", 15, 0, q4_k_m, "4.9 bits: half of attn_v and ffn_down in Q6_K; the usual choice" },
    { "Q4_K_S", "q4_k", 14, 0, q4_k_s, "4.6 bits: the first attn_v and ffn_down in Q5_K" },
    { "Q4_1", "q4_1", 3, 0, none, "5 bits, older" },
    { "Q4_0", "q4_0", 2, 0, q4_0, "4.5 bits, older, fast everywhere" },
    { "IQ4_NL", "iq4_nl", 25, 0, iq4, "4.5 bits, non-linear" },
    { "IQ4_XS", "iq4_xs", 30, 0, iq4, "4.3 bits, non-linear" },
    { "MXFP4_MOE", "mxfp4", 38, 0, mxfp4_moe, "experts in MXFP4, the rest in Q8_0" },
    { "Q3_K", "q3_k", 12, 0, q3_k_m, "Q3_K_M" },
    { "Q3_K_L", "q3_k", 13, 0, q3_k_l, "4.3 bits: attn_v, attn_output and ffn_down in Q5_K" },
    { "Q3_K_M", "q3_k", 12, 0, q3_k_m, "3.9 bits: attn_v, attn_output and ffn_down in Q4_K or Q5_K" },
    { "Q3_K_S", "q3_k", 11, 0, q3_k_s, "3.5 bits" },
    { "IQ3_M", "iq3_s", 27, 0, iq3_m, "3.7 bits: attn_v, attn_output and the first ffn_down in Q4_K" },
    { "IQ3_S", "iq3_s", 26, 0, iq3_s, "3.4 bits" },
    { "IQ3_XS", "iq3_s", 22, 0, iq3_xs, "3.3 bits" },
    { "IQ3_XXS", "iq3_xxs", 23, 0, iq3_xxs, "3.1 bits" },
    { "Q2_K", "q2_k", 10, 0, q2_k, "3 bits: attn_v, attn_output and ffn_down in Q3_K or Q4_K" },
    { "Q2_K_S", "q2_k", 21, 0, q2_k_s, "2.8 bits; needs an importance matrix" },
    { "IQ2_M", "iq2_s", 29, FEW_BITS, iq2_s, "2.7 bits; needs an importance matrix" },
    { "IQ2_S", "iq2_xs", 28, FEW_BITS, iq2_s, "2.5 bits; needs an importance matrix" },
    { "IQ2_XS", "iq2_xs", 20, FEW_BITS, iq2_xs, "2.3 bits; needs an importance matrix" },
    { "IQ2_XXS", "iq2_xxs", 19, FEW_BITS, iq2_xs, "2.1 bits; needs an importance matrix" },
    { "Q2_0", "q2_0", 41, 0, ternary, "2.3 bits, groups of 64" },
    { "TQ2_0", "tq2_0", 37, 0, ternary, "2.1 bits, for ternary models" },
    { "TQ1_0", "tq1_0", 36, 0, ternary, "1.7 bits, for ternary models" },
    { "IQ1_M", "iq1_m", 31, FEW_BITS, iq1, "1.8 bits; needs an importance matrix" },
    { "IQ1_S", "iq1_s", 24, FEW_BITS, iq1, "1.6 bits; needs an importance matrix" },
    { "Q1_0", "q1_0", 40, 0, none, "1.1 bits, one sign per weight" },
};

#define COUNT(a) (sizeof (a) / sizeof *(a))

const struct recipe *recipe_named(const char *name)
{
    for (size_t i = 0; i < COUNT(recipes); i++)
        if (strcasecmp(recipes[i].name, name) == 0)
            return &recipes[i];
    return NULL;
}

size_t recipe_count(void)
{
    return COUNT(recipes);
}

const struct recipe *recipe_at(size_t i)
{
    return &recipes[i];
}

const struct recipe *recipe_of_file_type(uint64_t id)
{
    const struct recipe *best = NULL;

    for (size_t i = 0; i < recipe_count(); i++) {
        const struct recipe *r = recipe_at(i);

        if (r->base && r->file_type == id && (!best || strlen(r->name) > strlen(best->name)))
            best = r;
    }
    return best;
}
