#include "common/event_part.h"

// The first field of each layer; a layer's fields stand in a row, in the order of their positions.
const nrs_field_t nrs_event_first[NRS_LAYER_MAX + 1] = {
    NRS_ORIGIN_instance, NRS_CONTEXT_repeat_of, NRS_VERDICT_class, NRS_RELEASE_recipient,
    NRS_FIELD_MAX,
};

// --- reading -------------------------------------------------------------------------------------

nrs_err_t
nrs_event_open(nrs_bytes_t bytes, nrs_event_t *ret_event)
{
    if (bytes.size > NRS_EVENT_BYTES_MAX)
        return NRS_E_LIMIT;
    // Outer array: fixarray of 1 to 15 layers (proto/event.md, "Bytes").
    if (bytes.size < 2 || (bytes.data[0] & 0xf0) != 0x90 || bytes.data[0] == 0x90)
        return NRS_E_FORMAT;
    *ret_event = (nrs_event_t){ .bytes = bytes, .layers = bytes.data[0] & 0x0f, .next = 1 };
    return NRS_OK;
}

// Stand before the first position of the layer under the walk. False when the bytes do not say so.
static bool
s_enter_layer(nrs_event_t *self, nrs_walk_t *walk)
{
    if (nrs_walk_nil(walk)) {
        self->positions = 0;
        return true;
    }
    uint32_t count;
    if (nrs_walk_array(walk, 255, &count))
        return false;
    self->positions = count;
    return true;
}

enum { LAYER_ENTERED = 0x80 }; // set in nrs_event.layer once its head is read

// Bad bytes: the event ends in `layer`, and what lies behind counts as absent from now on.
static bool
s_cut_off(nrs_event_t *self, uint32_t layer)
{
    self->layers = (uint8_t)layer;
    return false;
}

// Walk on until the end of `layer`, or until `position` of it has been passed. False when it comes to bad bytes.
bool
nrs_event_walk_to(nrs_event_t *self, uint32_t layer, uint32_t position)
{
    nrs_walk_t walk = { self->bytes.data + self->next, self->bytes.data + self->bytes.size };
    for (;;) {
        uint32_t now = self->layer & ~(uint32_t)LAYER_ENTERED;
        if (now > layer || now >= self->layers)
            break;
        if (!(self->layer & LAYER_ENTERED)) {
            if (!s_enter_layer(self, &walk))
                return s_cut_off(self, now);
            self->layer |= LAYER_ENTERED;
            self->position = 0;
        }
        uint32_t known = nrs_event_known(now);
        while (self->positions > 0) {
            if (now == layer && self->position > position)
                goto done;
            const uint8_t *item = walk.at;
            if (!nrs_event_skip(&walk))
                return s_cut_off(self, now);
            if (self->position < known && *item != 0xc0)
                self->at[nrs_event_first[now] + self->position] = (uint32_t)(item - self->bytes.data);
            self->position++;
            self->positions--;
        }
        if (now < NRS_LAYER_MAX)
            self->ends[now] = (uint32_t)(walk.at - self->bytes.data);
        self->layer = (uint8_t)(now + 1);
    }
done:
    self->next = (uint32_t)(walk.at - self->bytes.data);
    return true;
}

static inline bool
s_walked(const nrs_event_t *self, uint32_t layer, uint32_t position)
{
    uint32_t now = self->layer & ~(uint32_t)LAYER_ENTERED;
    return now > layer || (now == layer && (self->layer & LAYER_ENTERED) && self->position > position);
}

// One item as the value of a field: its type has to fit, its limits are checked by nrs_event_check().
static bool
s_read_value(const nrs_field_info_t *info, nrs_walk_t *walk, nrs_value_t *ret_value)
{
    const uint8_t *start = walk->at;
    nrs_head_t head = nrs_walk_next(walk);
    nrs_value_t value = { .type = info->type, .number = head.number, .bytes = head.bytes };
    switch (info->type) {
    case NRS_TYPE_POS:
    case NRS_TYPE_UINT:
    case NRS_TYPE_TIME:
    case NRS_TYPE_ENUM:
        if (head.item != NRS_ITEM_UINT)
            return false;
        break;
    case NRS_TYPE_BOOL:
        if (head.item != NRS_ITEM_BOOL)
            return false;
        break;
    case NRS_TYPE_STR:
        if (head.item != NRS_ITEM_STR)
            return false;
        break;
    case NRS_TYPE_BIN:
        if (head.item != NRS_ITEM_BIN || head.bytes.size != info->limit)
            return false;
        break;
    case NRS_TYPE_LIST: {
        if (head.item != NRS_ITEM_ARRAY || head.number > NRS_LIST_MAX)
            return false;
        nrs_bytes_t text;
        for (uint64_t i = 0; i < head.number; i++)
            if (nrs_walk_str(walk, SIZE_MAX, &text))
                return false;
        value.count = (uint32_t)head.number;
        value.bytes = nrs_bytes(start, (size_t)(walk->at - start));
        break;
    }
    }
    *ret_value = value;
    return true;
}

// Zero, empty and absent are one thing.
static bool
s_is_empty(const nrs_value_t *value)
{
    switch (value->type) {
    case NRS_TYPE_POS:
    case NRS_TYPE_BIN:
        return false;
    case NRS_TYPE_STR:
        return value->bytes.size == 0;
    case NRS_TYPE_LIST:
        return value->count == 0;
    default:
        return value->number == 0;
    }
}

bool
nrs_event_get(nrs_event_t *self, nrs_field_t field, nrs_value_t *ret_value)
{
    const nrs_field_info_t *info = nrs_field_info(field);
    if (!s_walked(self, info->layer, info->position) &&
        !nrs_event_walk_to(self, info->layer, info->position))
        return false;
    uint32_t at = self->at[field];
    if (at == 0)
        return false;
    nrs_walk_t walk = { self->bytes.data + at, self->bytes.data + self->bytes.size };
    return s_read_value(info, &walk, ret_value) && !s_is_empty(ret_value);
}

uint64_t
nrs_event_number(nrs_event_t *self, nrs_field_t field)
{
    nrs_value_t value;
    return nrs_event_get(self, field, &value) ? value.number : 0;
}

nrs_bytes_t
nrs_event_text(nrs_event_t *self, nrs_field_t field)
{
    nrs_value_t value;
    return nrs_event_get(self, field, &value) ? value.bytes : NRS_NONE;
}

bool
nrs_event_has(nrs_event_t *self, nrs_layer_t layer)
{
    if (layer >= self->layers)
        return false;
    if (!s_walked(self, layer, UINT32_MAX - 1) && !nrs_event_walk_to(self, layer, UINT32_MAX))
        return false;
    uint32_t start = layer == 0 ? 1 : self->ends[layer - 1];
    return self->bytes.data[start] != 0xc0;
}

void
nrs_list_read(const nrs_value_t *value, nrs_list_t *into)
{
    nrs_walk_t walk = nrs_walk(value->bytes);
    uint32_t count = 0;
    into->count = 0;
    if (nrs_walk_array(&walk, NRS_LIST_MAX, &count))
        return;
    for (uint32_t i = 0; i < count; i++)
        if (nrs_walk_str(&walk, SIZE_MAX, &into->items[i]))
            return;
    into->count = count;
}

// Fill the struct of a layer, by the table.
static nrs_err_t
s_read_layer(nrs_event_t *self, nrs_layer_t layer, void *into)
{
    if (!nrs_event_has(self, layer))
        return NRS_E_ABSENT;
    for (unsigned f = nrs_event_first[layer]; f < (unsigned)nrs_event_first[layer + 1]; f++) {
        nrs_value_t value;
        const nrs_field_info_t *info = nrs_field_info((nrs_field_t)f);
        void *member = (uint8_t *)into + info->offset;
        bool there = nrs_event_get(self, (nrs_field_t)f, &value);
        if (info->type == NRS_TYPE_STR || info->type == NRS_TYPE_BIN)
            *(nrs_bytes_t *)member = there ? value.bytes : NRS_NONE;
        else if (info->type != NRS_TYPE_LIST)
            *(uint64_t *)member = there ? value.number : 0;
        else if (there)
            nrs_list_read(&value, member);
        else
            ((nrs_list_t *)member)->count = 0;
    }
    return NRS_OK;
}

nrs_err_t
nrs_event_origin(nrs_event_t *self, nrs_origin_t *ret_origin)
{
    return s_read_layer(self, NRS_LAYER_ORIGIN, ret_origin);
}

nrs_err_t
nrs_event_context(nrs_event_t *self, nrs_context_t *ret_context)
{
    return s_read_layer(self, NRS_LAYER_CONTEXT, ret_context);
}

nrs_err_t
nrs_event_verdict(nrs_event_t *self, nrs_verdict_t *ret_verdict)
{
    return s_read_layer(self, NRS_LAYER_VERDICT, ret_verdict);
}

nrs_err_t
nrs_event_release(nrs_event_t *self, nrs_release_t *ret_release)
{
    return s_read_layer(self, NRS_LAYER_RELEASE, ret_release);
}

// --- checking what came from outside -------------------------------------------------------------

static bool
s_limits_ok(const nrs_field_info_t *info, const nrs_value_t *value)
{
    switch (info->type) {
    case NRS_TYPE_POS:
        return info->limit >= 8 || value->number >> (8 * info->limit) == 0;
    case NRS_TYPE_UINT:
    case NRS_TYPE_TIME:
        return value->number <= info->limit;
    case NRS_TYPE_ENUM: // a word of a newer version is kept, within one byte
        return value->number < 256;
    case NRS_TYPE_STR:
        return value->bytes.size <= info->limit && nrs_utf8_ok(value->bytes);
    case NRS_TYPE_LIST: {
        nrs_list_t list;
        nrs_list_read(value, &list);
        for (uint32_t i = 0; i < list.count; i++)
            if (list.items[i].size > info->limit || !nrs_utf8_ok(list.items[i]))
                return false;
        return true;
    }
    default:
        return true;
    }
}

// Hold one known field, which is not nil, against the table.
static nrs_err_t
s_check_field(nrs_event_t *event, unsigned field, nrs_problem_t *reterr)
{
    const nrs_field_info_t *info = nrs_field_info((nrs_field_t)field);
    nrs_walk_t walk = { event->bytes.data + event->at[field],
                        event->bytes.data + event->bytes.size };
    nrs_value_t value;
    if (!s_read_value(info, &walk, &value))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "%s has the wrong type", info->name);
    if (!s_is_empty(&value) && !s_limits_ok(info, &value))
        return nrs_problem_set(reterr, NRS_E_LIMIT, NULL, 0, 0, "%s is outside its limit", info->name);
    return NRS_OK;
}

nrs_err_t
nrs_event_check(nrs_bytes_t bytes, nrs_problem_t *reterr)
{
    nrs_event_t event;
    nrs_err_t err = nrs_event_open(bytes, &event);
    if (err)
        return nrs_problem_set(reterr, err, NULL, 0, 0, "not an event: no array of 1 to 15 layers");
    if (!nrs_event_walk_to(&event, UINT8_MAX, UINT32_MAX))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "damaged in layer %u", event.layers + 1u);
    if (event.next != bytes.size)
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "bytes after the last layer");
    if (!nrs_event_has(&event, NRS_LAYER_ORIGIN))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "no origin layer");
    nrs_origin_place_t place;
    if (nrs_event_place(bytes, &place))
        return nrs_problem_set(reterr, NRS_E_FORMAT, NULL, 0, 0, "no origin position");
    for (unsigned f = 0; f < NRS_FIELD_MAX; f++) {
        err = event.at[f] ? s_check_field(&event, f, reterr) : NRS_OK;
        if (err)
            return err;
    }
    return NRS_OK;
}
