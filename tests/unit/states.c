/* states.c - hidden states in memory and in files: taken up whole, or not at all. */
#include "verify/states.h"

#include "formats/file.h"
#include "tests/unit/test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLOATS = 40 };

static char dir[64], path[80], journal[96];

static void enter(void)
{
    strcpy(dir, "/tmp/bantam-states-XXXXXX");
    if (!mkdtemp(dir))
        test_failed(__FILE__, __LINE__, "no directory");
    snprintf(path, sizeof path, "%s/s.part", dir);
    snprintf(journal, sizeof journal, "%s.journal", path);
}

static void leave(void)
{
    CHECK(!path_exists(path) && !path_exists(journal));
    rmdir(dir);
}

/* The digest need not outlive the call: with states in memory the journal is begun by the first saving. */
static struct states *open_states(bool spill, const char *digest)
{
    char given[40];
    struct states_options o = { .streams = 2, .groups = 3, .group_floats = FLOATS, .spill = spill, .path = path, .digest = given };
    struct fail f = {0};

    snprintf(given, sizeof given, "%s", digest);
    struct states *s = states_open(&o, &f);
    memset(given, '-', sizeof given);

    if (!s)
        test_failed(__FILE__, __LINE__, "%s", f.text);
    return s;
}

static void put(struct states *s, size_t stream, size_t group, size_t passed, float value)
{
    float x[FLOATS];
    struct fail f = {0};
    size_t n = group == 2 ? FLOATS / 2 : FLOATS;       /* the last one is shorter */

    for (size_t i = 0; i < n; i++)
        x[i] = value + (float)i;
    CHECK(states_put(s, stream, group, passed, x, n, &f) == 0);
}

static void check(struct states *s, size_t stream, size_t group, size_t passed, float value)
{
    struct arena tmp = {0};
    struct fail f = {0};
    const float *x = states_get(s, stream, group, 3, 10, &tmp, &f);

    CHECK_U64(states_passed(s, stream, group), passed);
    CHECK(x && x[0] == value + 3 && x[9] == value + 12);
    arena_release(&tmp);
}

static void fill(struct states *s)
{
    struct fail f = {0};

    for (size_t g = 0; g < 3; g++) {
        put(s, 0, g, 1, (float)g);
        put(s, 1, g, 1, (float)g + 0.5f);
    }
    put(s, 0, 1, 2, 100);
    CHECK(states_note(s, 7, 0.125, &f) == 0);
}

static void check_filled(struct states *s)
{
    double value = 0;

    check(s, 0, 0, 1, 0);
    check(s, 0, 1, 2, 100);
    check(s, 0, 2, 1, 2);
    check(s, 1, 2, 1, 2.5);
    CHECK(states_noted(s, 7, &value) == states_resumed(s) && !states_noted(s, 8, &value));
    CHECK(value == (states_resumed(s) ? 0.125 : 0));
}

TEST(states_are_taken_up_by_the_same_run)
{
    for (int spill = 0; spill < 2; spill++) {
        struct fail f = {0};
        enter();
        struct states *s = open_states(spill, "one");
        fill(s);
        check_filled(s);
        CHECK(states_save(s, &f) == 0 && !states_resumed(s));
        states_close(s, true);
        s = open_states(spill, "one");
        CHECK(states_resumed(s));
        check_filled(s);
        put(s, 1, 2, 2, 9);
        check(s, 1, 2, 2, 9);
        states_close(s, false);
        leave();
    }
}

TEST(notes_stay_when_states_are_given_up)
{
    struct fail f = {0};
    double value = 0;
    struct states *s;
    struct stat now;

    enter();
    s = open_states(true, "one");
    fill(s);
    CHECK(states_note(s, 3, 0.5, &f) == 0 && states_keep_notes(s, &f) == 0 && stat(path, &now) == 0 && now.st_size == 0);
    states_close(s, true);
    s = open_states(true, "one");
    CHECK(states_resumed(s) && states_passed(s, 0, 1) == 0);
    CHECK(states_noted(s, 7, &value) && value == 0.125 && states_noted(s, 3, &value) && value == 0.5);
    put(s, 0, 1, 1, 4);
    check(s, 0, 1, 1, 4);
    states_close(s, false);
    leave();
}

TEST(states_of_another_run_are_begun_anew)
{
    enter();
    struct states *s = open_states(true, "one");
    fill(s);
    states_close(s, true);
    s = open_states(true, "two");
    CHECK(!states_resumed(s) && states_passed(s, 0, 1) == 0);
    fill(s);
    check_filled(s);
    states_close(s, false);
    leave();
}

TEST(states_that_are_cut_or_damaged)
{
    static const uint8_t bad[4] = { 1, 2, 3, 4 };

    for (int i = 0; i < 3; i++) {
        enter();
        struct states *s = open_states(true, "one");
        fill(s);
        states_close(s, true);
        FILE *file = fopen(i == 2 ? path : journal, "r+");
        if (i == 0)
            CHECK(truncate(journal, 64 + 7 * 32 + 20) == 0);            /* inside the note */
        else
            CHECK(fseek(file, i == 1 ? 9 : 5 * FLOATS * 4, SEEK_SET) == 0 && fwrite(bad, 4, 1, file) == 1);
        fclose(file);
        s = open_states(true, "one");
        CHECK(states_resumed(s) == (i == 0));
        if (i == 0)
            check(s, 0, 1, 2, 100);
        else
            CHECK_U64(states_passed(s, 0, 0), 0);
        states_close(s, false);
        leave();
    }
}

TEST(states_of_a_short_run_leave_no_file)
{
    enter();
    struct states *s = open_states(false, "one");
    fill(s);
    CHECK(!path_exists(path));
    states_close(s, true);
    leave();
}
