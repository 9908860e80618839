// fuzz_config.c - any bytes as a configuration file: read, walked, and taken through an option
// table

#include "common/config.h"

const char *
__lsan_default_suppressions(void);
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct s_options {
    bool fold;
    int64_t room_bytes, wait_ms;
    const char *file;
    nrs_config_texts_t lists;
} s_options_t;

static const nrs_option_t s_table[] = {
    { "fold", NRS_OPTION_BOOL, offsetof(s_options_t, fold), "true", 0, 0, NULL, "" },
    { "room_bytes", NRS_OPTION_BYTES, offsetof(s_options_t, room_bytes), "1KiB", 1, 1 << 30, NULL,
      "" },
    { "wait_ms", NRS_OPTION_DURATION, offsetof(s_options_t, wait_ms), "1s", 0, 86400000, NULL, "" },
    { "file", NRS_OPTION_PATH, offsetof(s_options_t, file), "", 1, 100, NULL, "" },
    { "lists", NRS_OPTION_TEXTS, offsetof(s_options_t, lists), "[a]", 0, 9, NULL, "" },
    { 0 },
};

// Every child is found by its place and, in a mapping, by its key; every text is UTF-8.
static void
s_walk(const nrs_config_node_t *node)
{
    const char *key = NULL, *text = nrs_config_text(node);
    NRS_ASSERT(!text || nrs_utf8_ok(nrs_text(text)));
    const nrs_config_node_t *child;
    for (size_t i = 0; (child = nrs_config_at(node, i, &key)); i++) {
        NRS_ASSERT(nrs_config_shape(node) != NRS_CONFIG_MAP || nrs_config_get(node, key) == child);
        s_walk(child);
    }
}

// libfyaml 0.7.12 loses a buffer when a long quoted text does not end. The file is refused and the
// program leaves, so nothing grows; our own leaks are still found.
const char *
__lsan_default_suppressions(void)
{
    return "leak:libfyaml";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    NRS_AUTO(nrs_config) config = NULL;
    nrs_problem_t problem = { 0 };
    if (nrs_config_parse(nrs_bytes(data, size), "fuzz.yaml", &problem, &config)) {
        NRS_ASSERT(!config && problem.text[0]);
        return 0;
    }
    s_walk(nrs_config_root(config));
    s_options_t options;
    NRS_IGNORE(nrs_options_read(config, nrs_config_root(config), s_table, &options, &problem));
    NRS_ASSERT(options.room_bytes >= 1 && options.wait_ms >= 0 && options.file);
    return 0;
}
