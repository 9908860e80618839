#include "enrich_config.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

const nrs_option_t enrich_option_table[] = {
    { "suffixes", NRS_OPTION_PATH, offsetof(enrich_options_t, suffixes), "", 0, 4096, NULL,
      "Public Suffix List; empty: the system's." },
    { "country", NRS_OPTION_PATH, offsetof(enrich_options_t, country), "", 0, 4096, NULL,
      "MaxMind DB file with countries; empty: context.country stays absent." },
    { "asn", NRS_OPTION_PATH, offsetof(enrich_options_t, asn), "", 0, 4096, NULL,
      "MaxMind DB file with autonomous systems; empty: context.asn and context.as_name stay "
      "absent." },
    { "lists", NRS_OPTION_NODE, offsetof(enrich_options_t, lists), NULL, 0, 0, NULL,
      "Lists that indicators are looked up in: name, path, format, match, records, known_good." },
    { "list_entries_max", NRS_OPTION_NUMBER, offsetof(enrich_options_t, list_entries_max),
      "5000000", 1, 50000000, NULL, "Entries of all lists together; a million names take 24 MiB." },
    { "repeat_window", NRS_OPTION_DURATION, offsetof(enrich_options_t, repeat_window_ms), "24h", 0,
      365 * DAY_MS, NULL,
      "A report of an indicator that passed whole within this time goes on as a short update; a "
      "day, so that a daily feed passes whole once." },
    { "memory", NRS_OPTION_BYTES, offsetof(enrich_options_t, memory_bytes), "128MiB", 1 << 20,
      INT64_C(1) << 40, NULL,
      "Memory for the sightings that are hot; the others are read from disk." },
    { NULL, 0, 0, NULL, 0, 0, NULL, NULL },
};

// In the order of enrich_format_t and enrich_match_t.
static const char *const s_formats[] = { "auto", "domains", "cidrs", "values", "json", NULL };
static const char *const s_matches[] = { "auto", "exact", "parent", "cidr", NULL };

static const nrs_option_t s_list_table[] = {
    { "name", NRS_OPTION_TEXT, offsetof(enrich_list_t, name), NULL, 1, 64, NULL,
      "What context.lists calls it." },
    { "path", NRS_OPTION_PATH, offsetof(enrich_list_t, path), NULL, 1, 4096, NULL, "The file." },
    { "format", NRS_OPTION_WORD, offsetof(enrich_list_t, format), "auto", 0, 0, s_formats,
      "What its lines are, or json." },
    { "match", NRS_OPTION_WORD, offsetof(enrich_list_t, match), "auto", 0, 0, s_matches,
      "Whether a name covers what is below it." },
    { "records", NRS_OPTION_TEXT, offsetof(enrich_list_t, records), "", 0, 255, NULL,
      "json: dotted path to the array of texts." },
    { "known_good", NRS_OPTION_BOOL, offsetof(enrich_list_t, known_good), "true", 0, 0, NULL,
      "Whether what it holds is known to be good." },
    { NULL, 0, 0, NULL, 0, 0, NULL, NULL },
};

static nrs_err_t
s_check_list(const nrs_config_node_t *node, const enrich_list_set_t *before,
             const enrich_list_t *list, nrs_problem_t *reterr)
{
    for (size_t i = 0; i < before->count; i++) {
        if (strcmp(before->items[i].name, list->name) == 0)
            return nrs_config_problem(nrs_config_get(node, "name"), reterr,
                                      "the name %s is taken by another list", list->name);
    }
    if (list->records[0] && list->format != ENRICH_FORMAT_JSON)
        return nrs_config_problem(nrs_config_get(node, "records"), reterr,
                                  "records needs format: json");
    if (list->format == ENRICH_FORMAT_CIDRS && list->match != ENRICH_MATCH_AUTO &&
        list->match != ENRICH_MATCH_CIDR)
        return nrs_config_problem(nrs_config_get(node, "match"), reterr,
                                  "a list of cidrs is matched by cidr; leave match out");
    return NRS_OK;
}

nrs_err_t
enrich_config_lists(nrs_config_t *config, const nrs_config_node_t *node, nrs_problem_t *reterr,
                    enrich_list_set_t *into)
{
    enrich_list_set_t set = { 0 };
    if (nrs_config_shape(node) != NRS_CONFIG_NOTHING && nrs_config_shape(node) != NRS_CONFIG_LIST)
        return nrs_config_problem(node, reterr,
                                  "lists is a list of mappings, each with name and path");
    if (nrs_config_count(node) > ENRICH_LISTS_MAX)
        return nrs_config_problem(node, reterr, "there can be %d lists at most", ENRICH_LISTS_MAX);
    for (size_t i = 0; i < nrs_config_count(node); i++) {
        const nrs_config_node_t *entry = nrs_config_at(node, i, NULL);
        if (nrs_config_shape(entry) != NRS_CONFIG_MAP)
            return nrs_config_problem(entry, reterr, "a list is a mapping with name and path");
        enrich_list_t *list = &set.items[set.count];
        nrs_err_t err = nrs_options_read(config, entry, s_list_table, list, reterr);
        if (!err)
            err = s_check_list(entry, &set, list, reterr);
        if (err)
            return err;
        set.count++;
    }
    *into = set;
    return NRS_OK;
}
