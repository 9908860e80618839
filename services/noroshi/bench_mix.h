// bench_mix.h - realistic reports from a seed: the same seed gives the same bytes
// Shape:    JSON lines of about 500 bytes: 45 % url, 30 % domain, 15 % ipv4, 8 % file hashes, 2 % e-mail addresses; one in
//           five reports a value that was reported before. Names are below reserved domains; addresses are drawn at random.
// Units:    line i is observed at BENCH_MIX_TIME_MS + i.

#ifndef NOROSHI_BENCH_MIX_H
#define NOROSHI_BENCH_MIX_H

#include "common/base.h"
#include "common/buf.h"

#define BENCH_MIX_TIME_MS UINT64_C(1767225600000) // 2026-01-01

// Append line `i` of the mix, with its line feed.
void
bench_mix_line(uint64_t seed, uint64_t i, nrs_buf_t *into);

#endif
