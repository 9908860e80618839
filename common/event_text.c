// event_text.c - events for people and other programs: JSON, times, ids

#include "common/codec.h"
#include "common/event.h"

#include <stdio.h>
#include <time.h>

// --- ids -----------------------------------------------------------------------------------------

void
nrs_id_print(const uint8_t id[NRS_ID_BYTES], char into[33])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < NRS_ID_BYTES; i++) {
        into[2 * i] = digits[id[i] >> 4];
        into[2 * i + 1] = digits[id[i] & 15];
    }
    into[32] = 0;
}

static int
s_hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

nrs_err_t
nrs_id_parse(nrs_bytes_t text, uint8_t ret_id[NRS_ID_BYTES])
{
    uint8_t id[NRS_ID_BYTES];
    if (text.size != 2 * NRS_ID_BYTES)
        return NRS_E_FORMAT;
    for (size_t i = 0; i < NRS_ID_BYTES; i++) {
        int high = s_hex(text.data[2 * i]), low = s_hex(text.data[2 * i + 1]);
        if (high < 0 || low < 0)
            return NRS_E_FORMAT;
        id[i] = (uint8_t)(high << 4 | low);
    }
    memcpy(ret_id, id, sizeof id);
    return NRS_OK;
}

// --- times ---------------------------------------------------------------------------------------

static const int64_t s_time_max_ms = INT64_C(253402300799999); // the end of the year 9999

// Days since 1970-01-01 of a date in the proleptic Gregorian calendar; years start in March, so that the
// leap day is a year's last.
static int64_t
s_days(int64_t year, int64_t month, int64_t day)
{
    year -= month <= 2;
    int64_t era = year / 400;
    int64_t of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

void
nrs_time_print(uint64_t time_ms, char into[25])
{
    time_t seconds = (time_t)(time_ms / 1000);
    struct tm parts;
    if (time_ms > (uint64_t)s_time_max_ms || !gmtime_r(&seconds, &parts)) {
        memcpy(into, "9999-12-31T23:59:59.999Z", 25);
        return;
    }
    size_t length = strftime(into, 25, "%Y-%m-%dT%H:%M:%S", &parts);
    unsigned ms = (unsigned)(time_ms % 1000);
    into[length] = '.';
    into[length + 1] = (char)('0' + ms / 100);
    into[length + 2] = (char)('0' + ms / 10 % 10);
    into[length + 3] = (char)('0' + ms % 10);
    into[length + 4] = 'Z';
    into[length + 5] = 0;
}

// A text while it is read from the left.
typedef struct s_reader {
    const uint8_t *at;
    const uint8_t *end;
} s_reader_t;

static bool
s_digits(s_reader_t *reader, unsigned least, unsigned most, int64_t *ret_number)
{
    int64_t number = 0;
    unsigned count = 0;
    while (count < most && reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') {
        number = number * 10 + (*reader->at++ - '0');
        count++;
    }
    *ret_number = number;
    return count >= least;
}

static bool
s_one_of(s_reader_t *reader, const char *set)
{
    if (reader->at == reader->end || *reader->at == 0 || !strchr(set, *reader->at))
        return false;
    reader->at++;
    return true;
}

static bool
s_date(s_reader_t *reader, int64_t *ret_days)
{
    static const uint8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t year, month, day;
    if (!s_digits(reader, 4, 4, &year) || !s_one_of(reader, "-/") || !s_digits(reader, 1, 2, &month) ||
        !s_one_of(reader, "-/") || !s_digits(reader, 1, 2, &day))
        return false;
    if (month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (day > lengths[month - 1] + (month == 2 && leap))
        return false;
    *ret_days = s_days(year, month, day);
    return true;
}

// hh:mm[:ss[.fraction]] in milliseconds; 60 counts as a second (RFC 3339 knows leap seconds).
static bool
s_clock(s_reader_t *reader, int64_t *ret_ms)
{
    int64_t hour, minute, second = 0, fraction = 0;
    if (!s_digits(reader, 1, 2, &hour) || !s_one_of(reader, ":") || !s_digits(reader, 2, 2, &minute))
        return false;
    if (s_one_of(reader, ":") && !s_digits(reader, 2, 2, &second))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    if (s_one_of(reader, ".,")) {
        const uint8_t *start = reader->at;
        if (!s_digits(reader, 1, 3, &fraction))
            return false;
        for (size_t count = (size_t)(reader->at - start); count < 3; count++)
            fraction *= 10;
        int64_t rest;
        while (s_digits(reader, 1, 9, &rest)) {
        }
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
    return true;
}

// What may follow a clock: nothing, Z, UTC, GMT, +hh:mm, +hhmm, +hh.
static bool
s_zone(s_reader_t *reader, int assume_minutes, int64_t *ret_minutes)
{
    while (s_one_of(reader, " ")) {
    }
    size_t left = (size_t)(reader->end - reader->at);
    *ret_minutes = assume_minutes;
    if (left == 0)
        return true;
    bool named = left == 3 && (memcmp(reader->at, "UTC", 3) == 0 || memcmp(reader->at, "GMT", 3) == 0);
    if (named || (left == 1 && (*reader->at == 'Z' || *reader->at == 'z'))) {
        *ret_minutes = 0;
        reader->at = reader->end;
        return true;
    }
    bool west = *reader->at == '-';
    int64_t hours, minutes = 0;
    if (!s_one_of(reader, "+-") || !s_digits(reader, 2, 2, &hours))
        return false;
    s_one_of(reader, ":");
    if (reader->at < reader->end && !s_digits(reader, 2, 2, &minutes))
        return false;
    if (hours > 23 || minutes > 59)
        return false;
    *ret_minutes = (hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

nrs_err_t
nrs_time_parse(nrs_bytes_t text, int assume_minutes, uint64_t *ret_time_ms)
{
    s_reader_t reader = { text.data, text.data + text.size };
    int64_t days, ms = 0, zone = assume_minutes;
    if (!s_date(&reader, &days))
        return NRS_E_FORMAT;
    if (s_one_of(&reader, "Tt ") &&
        (!s_clock(&reader, &ms) || !s_zone(&reader, assume_minutes, &zone)))
        return NRS_E_FORMAT;
    if (reader.at != reader.end)
        return NRS_E_FORMAT;
    int64_t time_ms = days * 86400000 + ms - zone * 60000;
    if (time_ms < 0 || time_ms > s_time_max_ms)
        return NRS_E_FORMAT;
    *ret_time_ms = (uint64_t)time_ms;
    return NRS_OK;
}

// --- values --------------------------------------------------------------------------------------

static void
s_put_hex(nrs_buf_t *into, nrs_bytes_t bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        nrs_buf_printf(into, "%02x", bytes.data[i]);
}

// Numbers and words, the same in JSON and on a terminal but for the quotes around words.
static void
s_put_plain(nrs_field_t field, const nrs_value_t *value, const char *quote, nrs_buf_t *into)
{
    const nrs_field_info_t *info = nrs_field_info(field);
    const char *word;
    char time[25];
    switch (info->type) {
    case NRS_TYPE_TIME:
        nrs_time_print(value->number, time);
        nrs_buf_printf(into, "%s%s%s", quote, time, quote);
        break;
    case NRS_TYPE_ENUM:
        word = nrs_enum_word(info->enum_id, value->number);
        if (word)
            nrs_buf_printf(into, "%s%s%s", quote, word, quote);
        else // a word of a newer version
            nrs_buf_printf(into, "%s#%llu%s", quote, (unsigned long long)value->number, quote);
        break;
    case NRS_TYPE_BOOL:
        nrs_buf_put_text(into, value->number ? "true" : "false");
        break;
    case NRS_TYPE_BIN:
        nrs_buf_put_text(into, quote);
        s_put_hex(into, value->bytes);
        nrs_buf_put_text(into, quote);
        break;
    default:
        nrs_buf_printf(into, "%llu", (unsigned long long)value->number);
    }
}

void
nrs_value_json(nrs_field_t field, const nrs_value_t *value, nrs_buf_t *into)
{
    if (value->type == NRS_TYPE_STR) {
        nrs_buf_put_json_string(into, value->bytes);
    } else if (value->type == NRS_TYPE_LIST) {
        nrs_list_t list;
        nrs_list_read(value, &list);
        nrs_buf_put_text(into, "[");
        for (uint32_t i = 0; i < list.count; i++) {
            nrs_buf_put_text(into, i ? "," : "");
            nrs_buf_put_json_string(into, list.items[i]);
        }
        nrs_buf_put_text(into, "]");
    } else {
        s_put_plain(field, value, "\"", into);
    }
}

void
nrs_value_print(nrs_field_t field, const nrs_value_t *value, nrs_buf_t *into)
{
    if (value->type == NRS_TYPE_STR) {
        nrs_buf_put_json(into, value->bytes); // a control character must not reach a terminal
    } else if (value->type == NRS_TYPE_LIST) {
        nrs_list_t list;
        nrs_list_read(value, &list);
        for (uint32_t i = 0; i < list.count; i++) {
            nrs_buf_put_text(into, i ? ", " : "");
            nrs_buf_put_json(into, list.items[i]);
        }
    } else {
        s_put_plain(field, value, "", into);
    }
}

nrs_err_t
nrs_event_json(nrs_bytes_t bytes, nrs_buf_t *into)
{
    nrs_event_t event;
    nrs_err_t err = nrs_event_open(bytes, &event);
    if (err)
        return err;
    char before = '{';
    for (unsigned f = 0; f < NRS_FIELD_MAX; f++) {
        nrs_value_t value;
        if (!nrs_event_get(&event, (nrs_field_t)f, &value))
            continue;
        nrs_buf_printf(into, "%c\"%s\":", before, nrs_field_info((nrs_field_t)f)->name);
        nrs_value_json((nrs_field_t)f, &value, into);
        before = ',';
    }
    nrs_buf_put_text(into, before == '{' ? "{}" : "}");
    return NRS_OK;
}
