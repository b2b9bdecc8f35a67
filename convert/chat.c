/* chat.c - the table of conversation formats. Sources: the models' own chat templates. First match wins, so a format whose marks
 * include another's stands before it. */
#include "convert/chat.h"

#include "formats/text.h"

#include <string.h>

static const struct chat_format formats[] = {
    { "phi4", { "<|im_sep|>" },
      { "<|im_start|>system<|im_sep|>", "<|im_end|>" }, { "<|im_start|>user<|im_sep|>", "<|im_end|>" },
      { "<|im_start|>assistant<|im_sep|>", "<|im_end|>" }, "<|im_start|>assistant<|im_sep|>", { "<|im_end|>", "<|im_start|>" }, false },
    { "chatml", { "<|im_start|>" },
      { "<|im_start|>system\n", "<|im_end|>\n" }, { "<|im_start|>user\n", "<|im_end|>\n" },
      { "<|im_start|>assistant\n", "<|im_end|>\n" }, "<|im_start|>assistant\n", { "<|im_end|>", "<|im_start|>" }, false },
    { "llama3", { "<|start_header_id|>", "<|eot_id|>" },
      { "<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>" }, { "<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>" },
      { "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>" }, "<|start_header_id|>assistant<|end_header_id|>\n\n",
      { "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>" }, false },
    { "llama4", { "<|header_start|>", "<|eot|>" },
      { "<|header_start|>system<|header_end|>\n\n", "<|eot|>" }, { "<|header_start|>user<|header_end|>\n\n", "<|eot|>" },
      { "<|header_start|>assistant<|header_end|>\n\n", "<|eot|>" }, "<|header_start|>assistant<|header_end|>\n\n",
      { "<|eot|>", "<|header_start|>" }, false },
    { "gemma", { "<start_of_turn>" },
      { "", "\n\n" }, { "<start_of_turn>user\n", "<end_of_turn>\n" },
      { "<start_of_turn>model\n", "<end_of_turn>\n" }, "<start_of_turn>model\n", { "<end_of_turn>", "<start_of_turn>" }, true },
    { "granite", { "<|start_of_role|>" },
      { "<|start_of_role|>system<|end_of_role|>", "%E\n" }, { "<|start_of_role|>user<|end_of_role|>", "%E\n" },
      { "<|start_of_role|>assistant<|end_of_role|>", "%E\n" }, "<|start_of_role|>assistant<|end_of_role|>",
      { "%E", "<|start_of_role|>" }, false },
    { "command-r", { "<|START_OF_TURN_TOKEN|>" },
      { "<|START_OF_TURN_TOKEN|><|SYSTEM_TOKEN|>", "<|END_OF_TURN_TOKEN|>" },
      { "<|START_OF_TURN_TOKEN|><|USER_TOKEN|>", "<|END_OF_TURN_TOKEN|>" },
      { "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>", "<|END_OF_TURN_TOKEN|>" }, "<|START_OF_TURN_TOKEN|><|CHATBOT_TOKEN|>",
      { "<|END_OF_TURN_TOKEN|>", "<|START_OF_TURN_TOKEN|>" }, false },
    { "llama2", { "[INST]", "<<SYS>>" },
      { "<<SYS>>\n", "\n<</SYS>>\n\n" }, { "[INST] ", " [/INST]" }, { " ", " %E" }, "", { "[INST]", "[/INST]" }, true },
    { "mistral-v7", { "[INST]", "[SYSTEM_PROMPT]" },
      { "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]" }, { "[INST]", "[/INST]" }, { "", "%E" }, "", { "[INST]", "[/INST]" }, false },
    { "mistral-v1", { "[INST] ", " [/INST]" },
      { "", "\n\n" }, { "[INST] ", " [/INST]" }, { "", "%E" }, "", { "[INST]", "[/INST]" }, true },
    { "mistral", { "[INST] " },
      { "", "\n\n" }, { "[INST] ", "[/INST]" }, { " ", "%E" }, "", { "[INST]", "[/INST]" }, true },
    { "mistral-tekken", { "[INST]" },
      { "", "\n\n" }, { "[INST]", "[/INST]" }, { "", "%E" }, "", { "[INST]", "[/INST]" }, true },
    { "phi3", { "<|user|>", "<|end|>" },
      { "<|system|>\n", "<|end|>\n" }, { "<|user|>\n", "<|end|>\n" }, { "<|assistant|>\n", "<|end|>\n" }, "<|assistant|>\n",
      { "<|end|>", "<|user|>", "<|assistant|>" }, false },
    { "phi3", { "<|' + message['role'] + '|>'", "<|end|>" },
      { "<|system|>\n", "<|end|>\n" }, { "<|user|>\n", "<|end|>\n" }, { "<|assistant|>\n", "<|end|>\n" }, "<|assistant|>\n",
      { "<|end|>", "<|user|>", "<|assistant|>" }, false },
    { "zephyr", { "<|user|>", "<|assistant|>" },
      { "<|system|>\n", "%E\n" }, { "<|user|>\n", "%E\n" }, { "<|assistant|>\n", "%E\n" }, "<|assistant|>\n",
      { "%E", "<|user|>", "<|assistant|>" }, false },
    { "deepseek", { "<\xef\xbd\x9cUser\xef\xbd\x9c>" },
      { "", "" }, { "<\xef\xbd\x9cUser\xef\xbd\x9c>", "" }, { "<\xef\xbd\x9c" "Assistant\xef\xbd\x9c>", "%E" },
      "<\xef\xbd\x9c" "Assistant\xef\xbd\x9c>", { "%E", "<\xef\xbd\x9cUser\xef\xbd\x9c>" }, false },
    { "falcon", { "User:", "Falcon:" },
      { "System: ", "\n" }, { "User: ", "\n" }, { "Falcon: ", "\n" }, "Falcon:", { "User:", "%E" }, false },
    { "openchat", { "GPT4 Correct " },
      { "GPT4 Correct System: ", "<|end_of_turn|>" }, { "GPT4 Correct User: ", "<|end_of_turn|>" },
      { "GPT4 Correct Assistant: ", "<|end_of_turn|>" }, "GPT4 Correct Assistant:", { "<|end_of_turn|>", "GPT4 Correct User:" }, false },
    { "solar", { "### User:", "### Assistant:" },
      { "### System:\n", "\n\n" }, { "### User:\n", "\n\n" }, { "### Assistant:\n", "" }, "### Assistant:\n",
      { "### User:", "%E" }, false },
    { "alpaca", { "### Instruction:", "### Response:" },
      { "", "" }, { "### Instruction:\n", "\n" }, { "### Response:\n", "\n%E\n" }, "### Response:\n",
      { "### Instruction:", "%E" }, true },
    { "instruction", { "### Instruction", "### Response" },
      { "", "\n\n" }, { "### Instruction\n", "\n\n" }, { "### Response\n", "%E\n\n" }, "### Response\n",
      { "### Instruction", "%E" }, true },
};

const struct chat_format *chat_format_of(const struct meta *m)
{
    const char *jinja = meta_str(m, "tokenizer.chat_template", NULL);

    for (size_t i = 0; jinja && i < sizeof formats / sizeof *formats; i++) {
        int k = 0;

        while (k < CHAT_MARKS && formats[i].mark[k] && strstr(jinja, formats[i].mark[k]))
            k++;
        if (k == CHAT_MARKS || !formats[i].mark[k])
            return &formats[i];
    }
    return NULL;
}

static const char *end_of_sequence(const struct meta *m)
{
    const struct meta_value *tokens = meta_get(m, "tokenizer.ggml.tokens");
    uint64_t id = meta_u64(m, "tokenizer.ggml.eos_token_id", UINT64_MAX);

    if (!tokens || tokens->type != META_ARRAY || tokens->a.type != META_STRING || id >= tokens->a.n)
        return "</s>";
    return ((const struct meta_string *)tokens->a.items)[id].s;
}

/* A part of a row with "%E" spelled out. */
static const char *spell(const char *part, const struct meta *m, struct arena *a)
{
    const char *at = strstr(part, "%E");

    return at ? arena_printf(a, "%.*s%s%s", (int)(at - part), part, end_of_sequence(m), at + 2) : part;
}

const char *chat_stop(const struct chat_format *c, const struct meta *m, size_t i, struct arena *a)
{
    return i < CHAT_STOPS && c->stop[i] ? spell(c->stop[i], m, a) : NULL;
}

/* The turns of one role: {{ if eq .Role "user" }}OPEN{{ .Content }}CLOSE. */
static char *turn(const char *role, const char *const part[2], const struct meta *m, struct arena *a)
{
    return arena_printf(a, "eq .Role \"%s\" }}%s{{ .Content }}%s", role, spell(part[0], m, a), spell(part[1], m, a));
}

char *chat_go_template(const struct chat_format *c, const struct meta *m, struct arena *a)
{
    const char *open = spell(c->user[0], m, a), *close = spell(c->user[1], m, a), *user = turn("user", c->user, m, a),
               *assistant = turn("assistant", c->assistant, m, a);

    if (c->system_in_user)
        user = arena_printf(a, "eq .Role \"user\" }}%s{{ if $system }}%s{{ $system }}%s{{ $system = \"\" }}{{ end }}{{ .Content }}%s", open,
                            c->system[0], c->system[1], close);
    return arena_printf(a, "%s{{- range .Messages }}{{ if %s%s%s{{ else if %s{{ end }}{{ end }}%s",
                        c->system_in_user ? "{{- $system := .System }}" : "", c->system_in_user ? "" : turn("system", c->system, m, a),
                        c->system_in_user ? "" : "{{ else if ", user, assistant, c->ask);
}
