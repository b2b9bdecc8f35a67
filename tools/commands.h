/* commands.h - every command's row, for the table in bantam.c. */
#ifndef BANTAM_COMMANDS_H
#define BANTAM_COMMANDS_H

#include "tools/args.h"

extern const struct command command_convert, command_quantize, command_verify, command_perplexity, command_logits, command_embed, command_imatrix,
    command_inspect, command_audit, command_tokenize, command_detokenize, command_list, command_store, command_metadata, command_diff, command_help;

#endif
