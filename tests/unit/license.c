/* license.c - normal form, recognition, and the table. Texts are made here of words that are common to all licenses: MIT's
 * is short enough to stand in a test. */
#include "formats/license_text.h"
#include "tests/unit/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mit[] =
    "Permission is hereby granted, free of charge, to any person obtaining a copy\nof this software and associated documentation files (the \"Software\"), to deal\n"
    "in the Software without restriction, including without limitation the rights\nto use, copy, modify, merge, publish, distribute, sublicense, and/or sell\n"
    "copies of the Software, and to permit persons to whom the Software is\nfurnished to do so, subject to the following conditions:\n\n"
    "The above copyright notice and this permission notice shall be included in all\ncopies or substantial portions of the Software.\n\n"
    "THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR\nIMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,\n"
    "FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE\nAUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER\n"
    "LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,\nOUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE\nSOFTWARE.\n";

/* The words in normal form, blanks between. */
static const char *words_of(const char *text, size_t n, struct arena *a)
{
    struct license_words w;

    license_words_of(&w, text, n, a);
    return arena_copy(a, w.clean, w.n ? w.clean_at[w.n] - 1 : 0);
}

static const char *words(const char *text, struct arena *a)
{
    return words_of(text, strlen(text), a);
}

TEST(license_words_drop_what_does_not_count)
{
    struct arena a = {0};

    CHECK_STR(words("  The *Licence*\r\n\tis \xE2\x80\x9C" "fine\xE2\x80\x9D \xE2\x80\x94 1\\. (c) \xC2\xA9", &a), "the license is fine 1 c c");
    CHECK_STR(words("entity's entity\xE2\x80\x99s entitys", &a), "entitys entitys entitys");
    CHECK_STR(words("non-transferable non-\n  transferable NON\xE2\x80\x91transferable well-known", &a), "nontransferable nontransferable nontransferable well known");
    CHECK_STR(words("see [the terms](https://x.y/z) at https://a.b/c_d, or <b>bold</b> &quot;x&quot;", &a), "see the terms at or bold x");
    CHECK_STR(words("ii.\xC2\xA0If", &a), "ii if");
    CHECK_STR(words("ii.If", &a), "ii if");
    CHECK_STR(words("US $1,000,000 and 50%", &a), "us $ 1 000 000 and 50 %");
    CHECK_STR(words("<not for sale> but <a href=\"x\">sold</a>", &a), "not for sale but sold");
    CHECK_STR(words("\xEF\xBB\xBFstart \xE2\x80\xA2 bullet zero\xE2\x80\x8B" "width", &a), "start bullet zerowidth");
    CHECK_STR(words_of("\xFF\xFEh\0i\0 \0\x19\x20", 10, &a), "hi");
    CHECK_STR(words("a copy \x93quoted\x94 it\x92s", &a), "a copy quoted its");
    CHECK_STR(words("", &a), "");
    arena_release(&a);
}

TEST(license_words_know_their_lines)
{
    struct arena a = {0};
    struct license_words w;

    license_words_of(&w, "one two\nthree\n\nfour", 19, &a);
    CHECK_U64(w.n, 4);
    CHECK_U64(license_words_line(&w, 1), 1);
    CHECK_U64(license_words_line(&w, 2), 2);
    CHECK_U64(license_words_line(&w, 3), 4);
    CHECK_U64(license_words_find(&w, "Two, three", 0), 1);
    CHECK(license_words_find(&w, "two four", 0) == SIZE_MAX);
    CHECK(license_words_hash(&w, 1, 2) != license_words_hash(&w, 2, 2));
    arena_release(&a);
}

static struct text_report *recognize(const char *text, struct arena *a)
{
    return license_text_recognize(text, strlen(text), a);
}

/* `text` with the first `from` replaced. */
static char *changed(const char *text, const char *from, const char *to, struct arena *a)
{
    const char *at = strstr(text, from);

    return arena_printf(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

TEST(license_text_exact_however_it_is_set)
{
    struct arena a = {0};
    char *flat = arena_strdup(&a, mit), *loud = arena_strdup(&a, mit);
    const char *forms[5] = { mit };

    for (char *p = flat; *p; p++)
        *p = *p == '\n' ? ' ' : *p;
    for (char *p = loud; *p; p++)
        *p = *p >= 'a' && *p <= 'z' ? (char)(*p - 32) : *p;
    forms[1] = flat;
    forms[2] = loud;
    forms[3] = arena_printf(&a, "MIT License\n\nCopyright (c) 2024 Some One\n\n%s", mit);
    forms[4] = arena_printf(&a, "\xEF\xBB\xBF# The MIT License (MIT) Copyright \xC2\xA9 2024 J\xC3\xB6rg and others. %s", flat);
    for (size_t i = 0; i < 5; i++) {
        struct text_report *r = recognize(forms[i], &a);

        CHECK_U64(r->nfindings, 1);
        CHECK(r->nfindings == 1 && r->finding[0].match == TEXT_EXACT);
        CHECK(r->nfindings == 1 && r->finding[0].license == license_named("mit"));
        CHECK_U64(r->extra, 0);
    }
    arena_release(&a);
}

TEST(license_text_changed_is_not_exact)
{
    struct arena a = {0};
    struct text_report *r = recognize(changed(mit, "and/or sell\ncopies", "but not sell\ncopies", &a), &a);

    CHECK_U64(r->nfindings, 1);
    CHECK(r->nfindings == 1 && r->finding[0].match == TEXT_ALTERED && r->finding[0].similarity > 0.9 && r->finding[0].similarity < 1);
    CHECK(r->nfindings == 1 && r->finding[0].nplaces == 1 && strstr(r->finding[0].place[0].excerpt, "but not sell"));
    r = recognize(changed(mit, "The above copyright notice and this permission notice shall be included in all\ncopies or substantial portions of the Software.\n", "", &a), &a);
    CHECK(r->nfindings == 1 && r->finding[0].match == TEXT_ALTERED && r->finding[0].missing == 1);
    arena_release(&a);
}

TEST(license_text_additions_are_told)
{
    struct arena a = {0};
    struct text_report *r = recognize(arena_printf(&a, "%s\nUse above one million users needs a separate written agreement with us.\n", mit), &a);

    CHECK(r->nfindings == 1 && r->finding[0].match == TEXT_EXACT);
    CHECK(r->extra >= 10 && r->nadditions == 1 && strstr(r->addition[0].excerpt, "separate written"));
    r = recognize(arena_printf(&a, "Copyright 2024 X. Not for commercial use without permission of X, at all.\n%s", mit), &a);
    CHECK(r->extra >= 10);
    arena_release(&a);
}

TEST(license_text_modified_mit_is_not_mit)
{
    struct arena a = {0};
    struct text_report *r = recognize(arena_printf(&a, "%s\nOur only modification is that the name is displayed in any commercial product.\n", mit), &a);

    CHECK_U64(r->nfindings, 1);
    CHECK(r->nfindings == 1 && r->finding[0].license == license_named("minimax-modified-mit") && r->finding[0].match == TEXT_PHRASES);
    r = recognize(arena_printf(&a, "%s\nNo rights if the global consolidated monthly revenue of your company exceeds 20 million.\n", mit), &a);
    CHECK(r->nfindings == 1 && r->finding[0].license == license_named("mistral-modified-mit"));
    arena_release(&a);
}

TEST(license_text_unknown_is_unknown)
{
    struct arena a = {0};
    struct text_report *r = recognize("You may do with this model as you please on Tuesdays.", &a);

    CHECK_U64(r->nfindings, 0);
    CHECK_U64(r->nnear, 0);
    r = recognize(changed(mit, "Permission is hereby granted, free of charge, to any person", "Leave is given to everyone", &a), &a);
    CHECK_U64(r->nfindings, 0);
    CHECK(r->nnear > 0 && r->near[0].license == license_named("mit") && r->near[0].similarity < 1);
    CHECK_U64(recognize("", &a)->nwords, 0);
    CHECK_U64(recognize("Licensed under the Llama 3.1 Community License Agreement", &a)->nfindings, 1);
    arena_release(&a);
}

/* Bytes of any kind, and known words over and over: bounded work, nothing out of bounds. */
TEST(license_text_survives_anything)
{
    struct arena a = {0};
    size_t n = 0, most = 400000;
    char *s = arena_alloc(&a, most + 1);
    unsigned x = 1;

    for (size_t i = 0; i < 5000; i++)
        s[i] = (char)((x = x * 1103515245 + 12345) >> 16);
    license_text_recognize(s, 5000, &a);
    while (n + 80 < most)
        n += (size_t)snprintf(s + n, most - n, "permission is hereby granted, free of charge, to any person ");
    license_text_recognize(s, n, &a);
    memset(s, '<', 100000);
    license_text_recognize(s, 100000, &a);
    memset(s, '[', 100000);
    license_text_recognize(s, 100000, &a);
    for (size_t i = 0; i + 1 < most; i += 2)
        memcpy(s + i, "](", 2);
    license_text_recognize(s, most, &a);
    memset(s, 'x', most);
    license_text_recognize(s, most, &a);
    arena_release(&a);
}

TEST(license_rows_are_sound)
{
    for (size_t i = 0; i < license_count(); i++) {
        const struct license *l = license_at(i);

        CHECK(license_named(l->id) == l);
        CHECK(l->name && l->hub && l->source);
        CHECK(strcmp(l->hub, "other") == 0 || strcmp(l->hub, l->id) == 0);
        CHECK(!l->over || license_named(l->over));
        CHECK(!l->spdx || license_named(l->spdx) == l);
        CHECK(l->commercial != LICENSE_USE_UNKNOWN || (l->facts && l->facts[0].sure == LICENSE_UNCONFIRMED));
        CHECK(!l->show || strlen(l->show) > 3);
        for (const struct license_fact *f = l->facts; f && f->text; f++)
            CHECK(f->topic < TOPICS && *f->text);
    }
    for (size_t i = 0; i < license_print_count(); i++)
        CHECK(!*license_print_at(i)->license || license_named(license_print_at(i)->license));
    CHECK(!license_named("no such license"));
    CHECK(license_named("LicenseRef-scancode-llama-3.1-license-2024") == license_named("LLAMA3.1"));
}

TEST(license_of_repositories)
{
    enum license_sure sure;
    const char *source;

    CHECK(license_of_repository("meta-llama/Llama-3.1-8B-Instruct", &sure, &source) == license_named("llama3.1") && sure == LICENSE_READING);
    CHECK(license_of_repository("meta-llama/Llama-3.2-1B", &sure, &source) == license_named("llama3.2"));
    CHECK(license_of_repository("Qwen/Qwen2.5-3B-Instruct", &sure, &source) == license_named("qwen-research"));
    CHECK(!license_of_repository("Qwen/Qwen2.5-32B", &sure, &source));
    CHECK(!license_of_repository("somebody/Llama-3.1-8B", &sure, &source));
}
