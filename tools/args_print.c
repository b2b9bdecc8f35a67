/* args_print.c - help, manual pages and completions, made of the option rows. */
#include "tools/option.h"

#include "convert/recipe.h"

#include <string.h>

static void print_overview(FILE *to)
{
    fputs("Bantam makes open-weight models small enough for the machine at hand, and proves what that cost.\n\n"
          "usage: bantam COMMAND MODEL [OPTION]...\n\n", to);
    for (size_t i = 0; commands[i]; i++)
        fprintf(to, "  %-11s %s\n", commands[i]->name, commands[i]->about);
    fputs("\nA MODEL is a Hugging Face directory, a .safetensors or .gguf file (the first of a split one), a\n"
          "*.safetensors.index.json, or a name in a local store (hf:, ollama:, lmstudio:, jan:; 'bantam list' has\n"
          "them). Nothing is ever downloaded.\n\n"
          "  bantam convert ./my-model -o my-model.Q4_K_M.gguf --type Q4_K_M\n"
          "  bantam verify my-model.Q4_K_M.gguf --against ./my-model --text book.txt\n\n"
          "'bantam help COMMAND' tells the rest. Exit status: 0 done, 1 said no, 2 usage, 3 input, 4 system.\n", to);
}

static void option_head(const struct option *o, char *head, size_t n)
{
    if (o->letter)
        snprintf(head, n, "-%c, --%s", o->letter, o->name);
    else
        snprintf(head, n, "    --%s", o->name);
}

void args_print_usage(FILE *to, const struct command *c)
{
    if (!c) {
        print_overview(to);
        return;
    }
    fprintf(to, "usage: bantam %s %s%s[OPTION]...\n\n%s\n\n", c->name, c->operands, *c->operands ? " " : "", c->detail);
    for (size_t i = 0; i < noptions; i++) {
        const struct option *o = &options[i];
        char head[48], both[80];

        if (!option_taken(c, o))
            continue;
        option_head(o, head, sizeof head);
        snprintf(both, sizeof both, "%s %s", head, o->value ? o->value : "");
        fprintf(to, strlen(both) > 25 ? "  %s\n%28s%s\n" : "  %-26s%s%s\n", both, "", o->about);
    }
}

/* roff treats a leading '.' or "'" as a request and '\' as an escape; a '-' must stay one when it is copied. */
static void print_roff(FILE *to, const char *text)
{
    for (const char *p = text; *p; p++) {
        if ((p == text || p[-1] == '\n') && (*p == '.' || *p == '\''))
            fputs("\\&", to);
        if (*p == '\\' || *p == '-')
            fputc('\\', to);
        if (*p == '\n' && p[1] == '\n')
            fputs("\n.PP", to), p++;
        fputc(*p, to);
    }
    fputc('\n', to);
}

static void print_man_option(FILE *to, const struct option *o)
{
    char head[48];

    option_head(o, head, sizeof head);
    fprintf(to, ".TP\n.B %s", o->letter ? "" : "\\&");
    for (const char *p = head + strspn(head, " "); *p; p++)
        fprintf(to, *p == '-' ? "\\-" : "%c", *p);
    fprintf(to, o->value ? " \\fI%s\\fR\n" : "\n", o->value);
    print_roff(to, o->about);
}

static const char exit_status[] = ".SH EXIT STATUS\n0 done; 1 the command said no; 2 wrong usage; 3 the input is malformed, unsupported or\n"
                                  "inconsistent; 4 the system failed.\n";

static void print_man_overview(FILE *to)
{
    fprintf(to, ".TH BANTAM 1 \"\" \"bantam %s\"\n.SH NAME\nbantam \\- convert, quantize, verify and inspect language models\n"
                ".SH SYNOPSIS\n.B bantam\n.I COMMAND MODEL\n[\\fIOPTION\\fR]...\n.SH COMMANDS\n", BANTAM_VERSION);
    for (size_t i = 0; commands[i]; i++) {
        fprintf(to, ".TP\n.BR bantam\\-%s (1)\n", commands[i]->name);
        print_roff(to, commands[i]->about);
    }
    fputs(exit_status, to);
}

void args_print_man(FILE *to, const struct command *c)
{
    if (!c) {
        print_man_overview(to);
        return;
    }
    fprintf(to, ".TH BANTAM\\-%s 1 \"\" \"bantam %s\"\n.SH NAME\nbantam\\-%s \\- ", c->name, BANTAM_VERSION, c->name);
    print_roff(to, c->about);
    fprintf(to, ".SH SYNOPSIS\n.B bantam %s\n.I %s\n[\\fIOPTION\\fR]...\n.SH DESCRIPTION\n", c->name, c->operands);
    print_roff(to, c->detail);
    fputs(".SH OPTIONS\n", to);
    for (size_t k = 0; k < noptions; k++)
        if (option_taken(c, &options[k]))
            print_man_option(to, &options[k]);
    fputs(exit_status, to);
    fputs(".SH SEE ALSO\n.BR bantam (1)\n", to);
}

/* What completes a value, by what stands for it in help: words, or NULL for the names of all types. */
static const struct completed {
    const char *value, *words;
} completed[] = { { "TYPE", NULL }, { "FORMAT", "gguf safetensors" }, { "WHEN", "always never auto" } };

/* "--type|-t|--output-type" of all options with that value. */
static void print_options_of(FILE *to, const char *value)
{
    const char *between = "";

    for (size_t k = 0; k < noptions; k++)
        if (options[k].value && strcmp(options[k].value, value) == 0) {
            fprintf(to, "%s--%s", between, options[k].name);
            if (options[k].letter)
                fprintf(to, "|-%c", options[k].letter);
            between = "|";
        }
}

/* Types are known in any letter case, and completed in that of the list. */
static void print_value_completion(FILE *to)
{
    fputs("  local prev=${COMP_WORDS[COMP_CWORD-1]}\n  [ \"$prev\" = = ] && prev=${COMP_WORDS[COMP_CWORD-2]}\n  case $prev in\n", to);
    for (size_t i = 0; i < sizeof completed / sizeof *completed; i++) {
        fputs("    ", to);
        print_options_of(to, completed[i].value);
        fprintf(to, ") COMPREPLY=($(compgen -W '%s", completed[i].words ? completed[i].words : "");
        for (size_t k = 0; !completed[i].words && k < recipe_count(); k++)
            fprintf(to, " %s", recipe_at(k)->name);
        fputs(completed[i].words ? "' -- \"$cur\")); return;;\n" : "' -- \"$(printf %s \"$cur\" | tr a-z A-Z)\")); return;;\n", to);
    }
    fputs("  esac\n", to);
}

void args_print_completion(FILE *to, const char *shell)
{
    fputs(strcmp(shell, "zsh") == 0 ? "#compdef bantam\nautoload -U +X bashcompinit && bashcompinit\n"
                                    : "# bash completion for bantam\n", to);
    fputs("_bantam() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\n  if [ \"$COMP_CWORD\" = 1 ]; then words='", to);
    for (size_t i = 0; commands[i]; i++)
        fprintf(to, "%s ", commands[i]->name);
    fputs("--help --version'\n  else case ${COMP_WORDS[1]} in\n", to);
    for (size_t i = 0; commands[i]; i++) {
        fprintf(to, "    %s) words='", commands[i]->name);
        for (size_t k = 0; k < noptions; k++)
            if (option_taken(commands[i], &options[k]))
                fprintf(to, "--%s ", options[k].name);
        fputs("';;\n", to);
    }
    fputs("  esac; fi\n", to);
    print_value_completion(to);
    fputs("  case $cur in\n    -*) ;;\n"
          "    *) [ \"$COMP_CWORD\" = 1 ] || { COMPREPLY=($(compgen -f -- \"$cur\")); return; };;\n  esac\n"
          "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o filenames -F _bantam bantam\n", to);
}
