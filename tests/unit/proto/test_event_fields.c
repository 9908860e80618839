// proto/event_fields.md is what the table says: the page is printed from the table and compared with the one that stands there.
//
// `unit_proto_test_event_fields --write` writes it anew.

// clang-format off
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
// clang-format on

#include "common/event.h"

#include <stdio.h>

static const char s_path[] = NOROSHI_SOURCE_DIR "/proto/event_fields.md";

static const char *const s_types[] = {
    "POS", "UINT", "TIME", "ENUM", "STR", "BIN", "LIST", "BOOL"
};

// Enums in the order of their numbers, as `enum nrs_enum_id` has them.
static const char *const s_enums[NRS_ENUM_MAX] = {
    "form", "kind", "tlp", "pap", "onward", "class", "type", "severity", "desk", "projection",
};

static void
s_put_limit(const nrs_field_info_t *info, nrs_buf_t *into)
{
    switch (info->type) {
    case NRS_TYPE_POS:
        nrs_buf_printf(into, "%llu bytes wide", (unsigned long long)info->limit);
        break;
    case NRS_TYPE_UINT:
        nrs_buf_printf(into, "%llu", (unsigned long long)info->limit);
        break;
    case NRS_TYPE_STR:
        nrs_buf_printf(into, "%llu bytes", (unsigned long long)info->limit);
        break;
    case NRS_TYPE_BIN:
        nrs_buf_printf(into, "%llu bytes, exactly", (unsigned long long)info->limit);
        break;
    case NRS_TYPE_LIST:
        nrs_buf_printf(into, "%d texts of %llu bytes", NRS_LIST_MAX,
                       (unsigned long long)info->limit);
        break;
    case NRS_TYPE_ENUM:
        nrs_buf_printf(into, "[%s](#%s)", s_enums[info->enum_id], s_enums[info->enum_id]);
        break;
    default:
        break;
    }
}

static void
s_put_layer(nrs_layer_t layer, nrs_buf_t *into)
{
    nrs_buf_printf(into,
                   "\n## %s\n\n| pos | name | type | limit | STIX 2.1 | what it is "
                   "|\n|---|---|---|---|---|---|\n",
                   nrs_layer_name(layer));
    for (unsigned f = 0; f < NRS_FIELD_MAX; f++) {
        const nrs_field_info_t *info = nrs_field_info((nrs_field_t)f);
        if (info->layer != layer)
            continue;
        nrs_buf_printf(into, "| %u | `%s` | %s | ", info->position, info->name,
                       s_types[info->type]);
        s_put_limit(info, into);
        nrs_buf_printf(into, " | %s%s%s | %s |\n", info->stix[0] ? "`" : "", info->stix,
                       info->stix[0] ? "`" : "", info->doc);
    }
    if (layer == NRS_LAYER_ORIGIN)
        nrs_buf_printf(into,
                       "\nPositions 0 to %d are the **core**: a short update carries only them.\n",
                       NRS_ORIGIN_CORE_MAX - 1);
}

static void
s_put_enum(nrs_enum_id_t id, nrs_buf_t *into)
{
    nrs_buf_printf(into, "\n## %s\n\n| number | word | %s |\n|---|---|---|\n", s_enums[id],
                   id == NRS_ENUM_TYPE ? "its class" : "what it means");
    for (uint64_t number = 1; nrs_enum_word(id, number); number++)
        nrs_buf_printf(into, "| %llu | `%s` | %s |\n", (unsigned long long)number,
                       nrs_enum_word(id, number), nrs_enum_doc(id, number));
}

static void
s_put_page(nrs_buf_t *into)
{
    nrs_buf_put_text(
        into,
        "# The fields of an event\n\n"
        "This page is made from `proto/event_fields.def` and `proto/event_enums.def`; edit those, "
        "then run\n"
        "`unit_proto_test_event_fields --write`. How an event is packed is in "
        "[event.md](event.md).\n\n"
        "| type | packed as | holds |\n|---|---|---|\n"
        "| POS | uint of fixed width | always present, so that it can be set in place |\n"
        "| UINT | uint | up to the limit |\n"
        "| TIME | uint | milliseconds since 1970-01-01 UTC, up to the end of the year 9999 |\n"
        "| ENUM | uint | the number of a word, below 256; one that a reader does not know is kept "
        "|\n"
        "| STR | str | UTF-8, at most so many bytes |\n"
        "| BIN | bin | bytes |\n"
        "| LIST | array of str | UTF-8 texts |\n"
        "| BOOL | true | true, or absent |\n\n"
        "Absent is nil, or the layer ends before it. Zero, empty and absent are one thing, except "
        "for POS. New fields go at\n"
        "the end of their layer, new words at the end of their enum; a number is never used again "
        "for something else.\n");
    for (unsigned layer = 0; layer < NRS_LAYER_MAX; layer++)
        s_put_layer((nrs_layer_t)layer, into);
    for (unsigned id = 0; id < NRS_ENUM_MAX; id++)
        s_put_enum((nrs_enum_id_t)id, into);
}

static void
test_event_fields_page_is_what_the_table_says(void **state)
{
    (void)state;
    nrs_buf_t page = { 0 }, kept = { 0 };
    s_put_page(&page);
    FILE *file = fopen(s_path, "rb");
    if (file) {
        kept.size = fread(nrs_buf_reserve(&kept, 1 << 18), 1, 1 << 18, file);
        fclose(file);
    }
    if (!nrs_bytes_equal(nrs_buf_bytes(&page), nrs_buf_bytes(&kept)))
        fail_msg("proto/event_fields.md is not what the table says: run "
                 "unit_proto_test_event_fields --write");
    nrs_buf_free(&page);
    nrs_buf_free(&kept);
}

static int
s_write(void)
{
    nrs_buf_t page = { 0 };
    FILE *file = fopen(s_path, "wb");
    if (!file)
        return 1;
    s_put_page(&page);
    fwrite(page.data, 1, page.size, file);
    fclose(file);
    nrs_buf_free(&page);
    return 0;
}

int
main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(
        test_event_fields_page_is_what_the_table_says) };
    if (argc > 1 && strcmp(argv[1], "--write") == 0)
        return s_write();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
