/* cmd_help.c - the overview, one command's options, the list of types; the manual page and completions for `make install`. */
#include "convert/recipe.h"
#include "formats/license.h"
#include "tools/commands.h"
#include "tools/report.h"

#include <string.h>

static void print_recipes(void)
{
    for (size_t i = 0; i < recipe_count(); i++)
        printf("  %-9s %s\n", recipe_at(i)->name, recipe_at(i)->about);
}

static void print_licenses(void)
{
    printf("  %-36s %-12s %s\n", "id", "commercial", "license");
    for (size_t i = 0; i < license_count(); i++) {
        const struct license *l = license_at(i);

        printf("  %-36s %-12s %s\n", l->id, license_use_word(l->commercial), l->name);
    }
}

static const struct command *command_named(const char *name)
{
    const struct command *const *c = commands;

    while (name && *c && strcmp((*c)->name, name) != 0)
        c++;
    return name ? *c : NULL;
}

static int run_help(struct args *a, struct fail *f)
{
    const char *what = a->operand.n ? a->operand.item[0] : NULL, *of = a->operand.n > 1 ? a->operand.item[1] : NULL;
    const struct command *c = command_named(what);

    if (of && (strcmp(what, "man") != 0 || !command_named(of)))
        return fail(f, FAIL_USAGE, strcmp(what, "man") == 0 ? "there is no command '%s'" : "'%s' is one word too many", of);
    if (!what || c)
        args_print_usage(stdout, c);
    else if (strcmp(what, "types") == 0)
        print_recipes();
    else if (strcmp(what, "licenses") == 0)
        print_licenses();
    else if (strcmp(what, "man") == 0)
        args_print_man(stdout, command_named(of));
    else if (strcmp(what, "bash") == 0 || strcmp(what, "zsh") == 0)
        args_print_completion(stdout, what);
    else
        return fail(f, FAIL_USAGE, "there is no command '%s'", what), fail_hint(f, "'bantam help' lists the commands");
    return stdout_done(f);
}

static const char *const no_options[] = { NULL };

const struct command command_help = {
    .name = "help", .operands = "[COMMAND]", .about = "this overview, all about one command, or the list of types",
    .detail = "Prints the overview or a command's options. 'bantam help types' lists what --type takes, 'bantam help licenses'\n"
              "the licenses whose texts or terms are known. 'bantam help man [COMMAND]' prints a manual page in roff, 'bantam help bash'\n"
              "and 'bantam help zsh' the completions; 'make install' puts them in place.",
    .options = no_options, .max_operands = 2, .run = run_help
};
