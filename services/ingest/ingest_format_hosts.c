// "0.0.0.0 name name # comment", as in /etc/hosts: the address is where the name is sent, the names
// are the indicators.
#include "common/net.h"
#include "services/ingest/ingest_format.h"

static nrs_bytes_t
s_token(nrs_bytes_t *rest)
{
    *rest = ingest_trim(*rest);
    size_t length = 0;
    while (length < rest->size && !ingest_blank(rest->data[length]))
        length++;
    nrs_bytes_t token = nrs_bytes(rest->data, length);
    *rest = nrs_bytes(rest->data + length, rest->size - length);
    return token;
}

// Names that every hosts file has for the machine itself.
static bool
s_own(nrs_bytes_t name)
{
    static const char *const names[] = {
        "localhost",       "localhost.localdomain", "local",          "broadcasthost",
        "0.0.0.0",         "ip6-localhost",         "ip6-loopback",   "ip6-localnet",
        "ip6-mcastprefix", "ip6-allnodes",          "ip6-allrouters", "ip6-allhosts"
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (nrs_bytes_is(name, names[i]))
            return true;
    return false;
}

static nrs_err_t
s_names(ingest_reader_t *self, nrs_bytes_t rest, nrs_bytes_t line)
{
    for (nrs_bytes_t name = s_token(&rest); name.size; name = s_token(&rest)) {
        if (ingest_begins(name, self->source->comment))
            return NRS_OK;
        if (s_own(name)) {
            self->sink->skip(self->sink->me);
            continue;
        }
        self->values[0] = (nrs_json_value_t){ .type = NRS_JSON_TEXT, .text = name };
        nrs_err_t err = ingest_reader_record(self, line);
        if (err)
            return err;
    }
    return NRS_OK;
}

static nrs_err_t
s_line(ingest_reader_t *self, nrs_bytes_t line)
{
    nrs_bytes_t rest = line;
    nrs_bytes_t first = s_token(&rest);
    nrs_address_t address;
    if (first.size == 0 || ingest_begins(first, self->source->comment))
        return NRS_OK;
    if (!nrs_utf8_ok(line))
        return ingest_reader_reject(self, "utf8", "the line is not UTF-8", line);
    if (nrs_address_parse(first, &address))
        return ingest_reader_reject(self, "hosts", "the line does not begin with an address", line);
    return s_names(self, rest, line);
}

static const ingest_map_t s_map[] = {
    { .field = NRS_ORIGIN_value, .slot = 0 },
    { .field = NRS_ORIGIN_kind, .fixed = true, .constant = { (const uint8_t *)"domain", 6 } },
};

const ingest_format_t ingest_format_hosts = { .map = s_map, .map_count = 2, .line = s_line };
