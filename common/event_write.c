// event_write.c - layers appended; what is there already is copied, not parsed

#include "common/event_part.h"

// --- the origin position -------------------------------------------------------------------------

// Bytes of an event before its first position: outer fixarray, then the origin layer's array16 head. The
// four fixed positions follow: cd ii ii, cd ll ll, ce ee ee ee ee, cf oo*8 (proto/event.md, "Bytes").
enum { PLACE_AT = 4, PLACE_BYTES = 3 + 3 + 5 + 9 };

nrs_err_t
nrs_event_place(nrs_bytes_t event, nrs_origin_place_t *ret_place)
{
    const uint8_t *p = event.data;
    if (event.size < PLACE_AT + PLACE_BYTES || (p[0] & 0xf0) != 0x90 || p[1] != 0xdc || p[4] != 0xcd ||
        p[7] != 0xcd || p[10] != 0xce || p[15] != 0xcf)
        return NRS_E_FORMAT;
    *ret_place = (nrs_origin_place_t){
        .instance = nrs_get_be16(p + 5),
        .lane = nrs_get_be16(p + 8),
        .epoch = nrs_get_be32(p + 11),
        .offset = nrs_get_be64(p + 16),
    };
    return NRS_OK;
}

void
nrs_event_set_place(uint8_t *event, const nrs_origin_place_t *place)
{
    nrs_put_be16(event + 5, place->instance);
    nrs_put_be16(event + 8, place->lane);
    nrs_put_be32(event + 11, place->epoch);
    nrs_put_be64(event + 16, place->offset);
}

// --- writing -------------------------------------------------------------------------------------

static bool
s_is_absent(const nrs_field_info_t *info, const void *member)
{
    switch (info->type) {
    case NRS_TYPE_POS:
        return false;
    case NRS_TYPE_STR:
    case NRS_TYPE_BIN:
        return ((const nrs_bytes_t *)member)->size == 0;
    case NRS_TYPE_LIST:
        return ((const nrs_list_t *)member)->count == 0;
    default:
        return *(const uint64_t *)member == 0;
    }
}

static void
s_pack_field(nrs_buf_t *into, const nrs_field_info_t *info, const void *member)
{
    switch (info->type) {
    case NRS_TYPE_POS:
        nrs_pack_fixed(into, *(const uint64_t *)member, (unsigned)info->limit);
        break;
    case NRS_TYPE_UINT:
    case NRS_TYPE_TIME:
    case NRS_TYPE_ENUM:
        nrs_pack_uint(into, *(const uint64_t *)member);
        break;
    case NRS_TYPE_BOOL:
        nrs_pack_bool(into, true);
        break;
    case NRS_TYPE_STR:
        nrs_pack_str(into, *(const nrs_bytes_t *)member);
        break;
    case NRS_TYPE_BIN:
        nrs_pack_bin(into, *(const nrs_bytes_t *)member);
        break;
    case NRS_TYPE_LIST: {
        const nrs_list_t *list = member;
        nrs_pack_array(into, list->count);
        for (uint32_t i = 0; i < list->count; i++)
            nrs_pack_str(into, list->items[i]);
        break;
    }
    }
}

// The layer up to its last field that is there. Origin has an array16 head, so that its fixed positions
// stand at fixed bytes.
static void
s_pack_layer(nrs_buf_t *into, nrs_layer_t layer, const void *values)
{
    uint32_t count = nrs_event_known(layer);
    while (count > 0) {
        const nrs_field_info_t *last = nrs_field_info((nrs_field_t)(nrs_event_first[layer] + count - 1));
        if (!s_is_absent(last, (const uint8_t *)values + last->offset))
            break;
        count--;
    }
    if (layer == NRS_LAYER_ORIGIN) {
        uint8_t head[3] = { 0xdc, (uint8_t)(count >> 8), (uint8_t)count };
        nrs_buf_put(into, head, sizeof head);
    } else {
        nrs_pack_array(into, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        const nrs_field_info_t *info = nrs_field_info((nrs_field_t)(nrs_event_first[layer] + i));
        const void *member = (const uint8_t *)values + info->offset;
        if (s_is_absent(info, member))
            nrs_pack_nil(into);
        else
            s_pack_field(into, info, member);
    }
}

void
nrs_event_begin(nrs_buf_t *into, const nrs_origin_t *origin)
{
    nrs_buf_put(into, "\x91", 1);
    s_pack_layer(into, NRS_LAYER_ORIGIN, origin);
}

// Put layers that the event lacks up to `layer` as nil, then the layer itself; `layers` are there.
static void
s_add_layer(nrs_buf_t *into, size_t start, uint32_t layers, nrs_layer_t layer, const void *values)
{
    NRS_ASSERT(layers <= (uint32_t)layer);
    for (uint32_t i = layers; i < (uint32_t)layer; i++)
        nrs_pack_nil(into);
    s_pack_layer(into, layer, values);
    into->data[start] = (uint8_t)(0x90 | ((uint32_t)layer + 1));
}

void
nrs_event_append(nrs_buf_t *into, nrs_bytes_t in, nrs_layer_t layer, const void *values)
{
    NRS_ASSERT(in.size > 0);
    size_t start = into->size;
    nrs_buf_put(into, in.data, in.size);
    s_add_layer(into, start, in.data[0] & 0x0f, layer, values);
}

void
nrs_event_append_short(nrs_buf_t *into, nrs_event_t *in, const nrs_context_t *context)
{
    size_t start = into->size;
    uint32_t count = in->bytes.size >= PLACE_AT ? nrs_get_be16(in->bytes.data + 2) : 0;
    uint32_t kept = count < NRS_ORIGIN_CORE_MAX ? count : NRS_ORIGIN_CORE_MAX;
    nrs_walk_t walk = { in->bytes.data + PLACE_AT, in->bytes.data + in->bytes.size };
    for (uint32_t i = 0; i < kept; i++)
        NRS_ASSERT(nrs_event_skip(&walk)); // what this process has read before is well formed
    size_t end = (size_t)(walk.at - in->bytes.data);
    nrs_buf_put(into, in->bytes.data, end);
    nrs_put_be16(into->data + start + 2, (uint16_t)kept);
    s_add_layer(into, start, 1, NRS_LAYER_CONTEXT, context);
}

static bool
s_listed(nrs_field_t field, const nrs_field_t *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == field)
            return true;
    return false;
}

// A layer without the fields in `drop`, from its bytes: what is kept is copied as it is.
static void
s_copy_layer_without(nrs_buf_t *into, nrs_event_t *in, nrs_layer_t layer, const nrs_field_t *drop,
                     size_t count)
{
    uint32_t start = layer == 0 ? 1 : in->ends[layer - 1];
    nrs_walk_t walk = { in->bytes.data + start, in->bytes.data + in->ends[layer] };
    nrs_head_t head = nrs_walk_next(&walk);
    nrs_buf_put(into, in->bytes.data + start, (size_t)(walk.at - in->bytes.data) - start);
    for (uint64_t i = 0; head.item == NRS_ITEM_ARRAY && i < head.number; i++) {
        const uint8_t *item = walk.at;
        if (!nrs_event_skip(&walk))
            break;
        bool known = i < nrs_event_known(layer);
        if (known && s_listed((nrs_field_t)(nrs_event_first[layer] + i), drop, count))
            nrs_pack_nil(into);
        else
            nrs_buf_put(into, item, (size_t)(walk.at - item));
    }
}

void
nrs_event_append_without(nrs_buf_t *into, nrs_event_t *in, const nrs_field_t *drop, size_t count,
                         nrs_layer_t layer, const void *values)
{
    size_t start = into->size;
    nrs_buf_put(into, in->bytes.data, 1);
    uint32_t layers = in->layers < (uint32_t)layer ? in->layers : (uint32_t)layer;
    if (!nrs_event_walk_to(in, UINT8_MAX, UINT32_MAX))
        layers = 0;
    for (uint32_t l = 0; l < layers; l++)
        s_copy_layer_without(into, in, (nrs_layer_t)l, drop, count);
    s_add_layer(into, start, layers, layer, values);
}
