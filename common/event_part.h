// event_part.h - what reading and writing an event share; nobody else includes this

#ifndef NRS_EVENT_PART_H
#define NRS_EVENT_PART_H

#include "common/codec.h"
#include "common/event.h"

// The first field of each layer; a layer's fields stand in a row, in the order of their positions.
extern const nrs_field_t nrs_event_first[NRS_LAYER_MAX + 1];

// Positions that this version knows of a layer.
static inline uint32_t
nrs_event_known(uint32_t layer)
{
    return layer < NRS_LAYER_MAX ? (uint32_t)(nrs_event_first[layer + 1] - nrs_event_first[layer]) : 0;
}

// Go past one item. The short forms that fill an event are decided by their first byte alone.
static inline bool
nrs_event_skip(nrs_walk_t *walk)
{
    size_t left = (size_t)(walk->end - walk->at);
    if (left == 0)
        return false;
    uint8_t first = *walk->at;
    size_t bytes = 0;
    if (first < 0x80 || first == 0xc0 || first == 0xc3)
        bytes = 1;
    else if ((first & 0xe0) == 0xa0)
        bytes = 1u + (first & 0x1f);
    else if (first == 0xcf)
        bytes = 9;
    else if ((first == 0xd9 || first == 0xc4) && left >= 2)
        bytes = 2u + walk->at[1];
    if (bytes == 0)
        return nrs_walk_skip(walk) == NRS_OK;
    if (bytes > left)
        return false;
    walk->at += bytes;
    return true;
}

// Walk on until `position` of `layer` has been passed, or to the end. False on bad bytes.
bool
nrs_event_walk_to(nrs_event_t *self, uint32_t layer, uint32_t position);

#endif
