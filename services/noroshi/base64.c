#include "services/noroshi/base64.h"

static int
s_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

nrs_err_t
base64_decode(nrs_bytes_t text, nrs_buf_t *into)
{
    if (text.size % 4 != 0)
        return NRS_E_FORMAT;
    size_t before = into->size, padding = 0;
    while (padding < 2 && padding < text.size && text.data[text.size - 1 - padding] == '=')
        padding++;
    for (size_t at = 0; at < text.size; at += 4) {
        size_t digits = at + 4 == text.size ? 4 - padding : 4;
        uint32_t group = 0;
        for (size_t i = 0; i < 4; i++) {
            int digit = i < digits ? s_digit(text.data[at + i]) : 0;
            if (digit < 0) {
                into->size = before;
                return NRS_E_FORMAT;
            }
            group = group << 6 | (uint32_t)digit;
        }
        uint8_t bytes[3] = { (uint8_t)(group >> 16), (uint8_t)(group >> 8), (uint8_t)group };
        nrs_buf_put(into, bytes, digits - 1);
    }
    return NRS_OK;
}
