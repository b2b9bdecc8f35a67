/* commands.h - every command's row, for the table in bantam.c. */
#ifndef BANTAM_COMMANDS_H
#define BANTAM_COMMANDS_H

#include "tools/args.h"

#define ROW(name) extern const struct command command_##name;
#include "tools/commands.def"
#undef ROW

#endif
