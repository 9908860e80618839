// classify_place.h - from a byte of a YAML scalar's text to the line and column where a person
// wrote it

#ifndef CLASSIFY_PLACE_H
#define CLASSIFY_PLACE_H

#include "common/base.h"

// `file` is the YAML file, *line and *column (1-based, in characters) say where in it the scalar
// `text` begins. Move them to where the scalar's byte `offset` stands, for every style: plain,
// quoted, literal and folded.
void
classify_place_within(nrs_bytes_t file, nrs_bytes_t text, size_t offset, unsigned *line,
                      unsigned *column);

#endif
