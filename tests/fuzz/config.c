/* config.c - any bytes as the config.json of the weights of tests/golden/hf/yesterday. */
#include "convert/rename.h"
#include "formats/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[] = "/tmp/bantam-config-XXXXXX", config[64], weights[64];

static void clean(void)
{
    unlink(config);
    unlink(weights);
    rmdir(dir);
}

static void prepare(void)
{
    struct arena a = {0};
    const char *golden = getenv("BANTAM_GOLDEN");
    char *real = realpath(path_join(&a, golden ? golden : "tests/golden", "hf/yesterday/model.safetensors"), NULL);

    if (!real || !mkdtemp(dir))
        abort();
    snprintf(config, sizeof config, "%s/config.json", dir);
    snprintf(weights, sizeof weights, "%s/model.safetensors", dir);
    if (symlink(real, weights))
        abort();
    atexit(clean);
    free(real);
    arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct rename_options options = { .no_vocabulary = true };
    struct fail f = {0};
    FILE *out;

    if (!*config)
        prepare();
    out = fopen(config, "wb");
    if (!out || fwrite(data, 1, n, out) != n || fclose(out))
        abort();
    model_close(model_rename(model_open(dir, &f), &options, NULL, NULL, &f));
    return 0;
}
