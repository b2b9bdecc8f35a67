/* test.h - TEST(name) { ... } registers itself; tests/unit/main.c runs what matches and counts.
 *
 *     TEST(cursor_refuses_overrun) { ...; CHECK(!cursor_ok(&c)); CHECK_STR(f.text, "..."); }
 *
 * A failed CHECK prints file, line and values, and ends that test. */
#ifndef BANTAM_TEST_H
#define BANTAM_TEST_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
    const char *name, *file;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *);
void test_failed(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
void test_skip(const char *why);        /* marks the running test as skipped; return after it */

#define TEST(name)                                                                          \
    static void test_##name(void);                                                          \
    static struct test entry_##name = { #name, __FILE__, test_##name, NULL };               \
    __attribute__((constructor)) static void register_##name(void) { test_register(&entry_##name); } \
    static void test_##name(void)

#define CHECK(condition)                                                                    \
    do { if (!(condition)) { test_failed(__FILE__, __LINE__, "%s", #condition); return; } } while (0)
#define CHECK_STR(got, want)                                                                \
    do { const char *g_ = (got), *w_ = (want);                                              \
         if (!g_ || strcmp(g_, w_) != 0) {                                                  \
             test_failed(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #got, g_ ? g_ : "(null)", w_); return; } } while (0)
#define CHECK_U64(got, want)                                                                \
    do { uint64_t g_ = (uint64_t)(got), w_ = (uint64_t)(want);                              \
         if (g_ != w_) {                                                                    \
             test_failed(__FILE__, __LINE__, "%s is %" PRIu64 ", expected %" PRIu64, #got, g_, w_); return; } } while (0)

#endif
