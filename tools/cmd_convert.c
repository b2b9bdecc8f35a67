/* cmd_convert.c - convert and quantize: the same chain with other defaults. */
#include "tools/commands.h"
#include "tools/job.h"

static int run(struct args *a, bool as_converted, struct fail *f)
{
    struct job job = {0};
    int bad = job_open(&job, a, as_converted, f);

    if (!bad)
        bad = a->dry_run ? job_show_plan(&job, f) : job_write(&job, f);
    job_release(&job);
    return bad;
}

static int run_convert(struct args *a, struct fail *f)
{
    if (!a->out && !a->dry_run)
        return fail(f, FAIL_USAGE, "'convert' needs -o OUT"), fail_hint(f, "for example -o model.gguf");
    if (!a->type)
        a->type = "auto";
    return run(a, true, f);
}

static int run_quantize(struct args *a, struct fail *f)
{
    if (!a->type && !a->has_size && !a->has_bpw)
        return fail(f, FAIL_USAGE, "'quantize' needs --type TYPE"), fail_hint(f, "Q4_K_M is a good start");
    if ((a->type != NULL) + a->has_size + a->has_bpw > 1)
        return fail(f, FAIL_USAGE, "--type, --size and --bpw cannot be used together");
    if (!a->out && !a->dry_run)
        return fail(f, FAIL_USAGE, "'quantize' needs -o OUT"), fail_hint(f, "for example -o model.%s.gguf", a->type ? a->type : "small");
    return run(a, false, f);
}

static const char *const convert_options[] = {
    "out", "type", "to", "imatrix", "include-weights", "exclude-weights", "no-provenance", "split-size", "keep-split", "metadata",
    "pre-tokenizer", "ignore-key", "tensor-type", "tensor-types", "output-type", "embedding-type", "leave-output", "pure",
    "no-fallback", "prune-layers", "allow-requantize", "license=ID", "with-license-text", "no-license-files", "dry-run", "force", "verbose", NULL
};

const struct command command_convert = {
    .name = "convert", .operands = "MODEL", .about = "a Hugging Face model to GGUF, in one pass, at any type; or to safetensors",
    .detail = "Writes MODEL in another format. OUT's name decides: x.gguf is GGUF, a directory is safetensors. With a quantized --type\n"
              "the original weights are encoded straight into OUT, with no file in between.\n\n"
              "Every source tensor and every config key is accounted for, and the result is refused when a built-in text is not\n"
              "split into the same tokens by the source's rules and by what is written. A run that was stopped leaves OUT.part;\n"
              "the same command goes on where it stopped.",
    .options = convert_options, .min_operands = 1, .max_operands = 1, .run = run_convert
};

static const char *const quantize_options[] = {
    "out", "type", "size", "bpw", "imatrix", "include-weights", "exclude-weights", "no-provenance", "split-size", "keep-split",
    "metadata", "pre-tokenizer", "ignore-key", "tensor-type", "tensor-types", "output-type", "embedding-type", "leave-output",
    "pure", "no-fallback", "prune-layers", "allow-requantize", "license=ID", "with-license-text", "no-license-files", "dry-run", "force", "verbose", NULL
};

const struct command command_quantize = {
    .name = "quantize", .operands = "MODEL", .about = "fewer bits per weight: any model to a quantized GGUF",
    .detail = "Writes MODEL as GGUF with the encodings of TYPE: the same bytes as llama-quantize, tensor by tensor. MODEL may be a\n"
              "GGUF file or a Hugging Face directory.\n\n"
              "With --imatrix, columns that mattered more on some text are kept more exactly. The matrix is compared with the model\n"
              "first: another model's is refused, and what it lacks is listed. Rows that an encoding's blocks do not divide get a\n"
              "wider one; the plan names them and what that costs, --no-fallback refuses.\n\n"
              "--size and --bpw choose the TYPE: the one whose file comes closest from below, its bytes counted exactly.",
    .options = quantize_options, .min_operands = 1, .max_operands = 1, .run = run_quantize
};
