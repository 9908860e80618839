// Walking item by item and skipping whole items come to the same end, and neither leaves the bytes.
#include "common/codec.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Go past one item by its heads alone; false when it is not whole.
static bool
s_step_over(nrs_walk_t *walk)
{
    for (uint64_t left = 1; left > 0; left--) {
        nrs_head_t head = nrs_walk_next(walk);
        if (head.item == NRS_ITEM_BAD || head.item == NRS_ITEM_END)
            return false;
        NRS_ASSERT(head.bytes.size == 0 || head.bytes.data + head.bytes.size == walk->at);
        if (head.item == NRS_ITEM_ARRAY || head.item == NRS_ITEM_MAP)
            left += head.item == NRS_ITEM_MAP ? head.number * 2 : head.number;
    }
    return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    nrs_walk_t walk = nrs_walk(nrs_bytes(data, size));
    while (!nrs_walk_done(&walk)) {
        nrs_walk_t heads = walk, before = walk;
        nrs_err_t err = nrs_walk_skip(&walk);
        bool whole = s_step_over(&heads);
        if (err) {
            NRS_ASSERT(walk.at == before.at && (err == NRS_E_LIMIT || !whole));
            break;
        }
        NRS_ASSERT(whole && heads.at == walk.at && walk.at > before.at);
    }
    return 0;
}
