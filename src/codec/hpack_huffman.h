/* The Huffman code of HPACK (RFC 7541 §5.2, appendix B). */
#pragma once
#include "../base/bytes.h"

/* Bits taken from the input but not decoded yet: the first is the highest. All zero is the start of
 * a string; between two pieces there are at most 29. */
typedef struct tbh_huffman {
    uint64_t bits;
    uint32_t count;
} tbh_huffman;

typedef enum tbh_huffman_result {
    TBH_HUFFMAN_OK,   /* the input is used up */
    TBH_HUFFMAN_FULL, /* the output is; there is at least one more byte */
    TBH_HUFFMAN_BAD   /* EOS in the text */
} tbh_huffman_result;

/* Decodes [*in, in_end) to [*out, out_end) and moves both. */
TBH_FN tbh_huffman_result tbh_huffman_decode(tbh_huffman *h, const uint8_t **in,
                                             const uint8_t *in_end, uint8_t **out,
                                             uint8_t *out_end);
/* May a string end here? Only behind fewer than eight bits, all of them 1. */
TBH_FN bool tbh_huffman_is_end(const tbh_huffman *h);

#if !TBH_SMALL
/* Decodes a whole string of n bytes; returns where the text ends, or NULL if it is malformed. There is
 * room for TBH_HUFFMAN_ROOM(n) bytes, and two more. */
TBH_FN uint8_t *tbh_huffman_decode_whole(const uint8_t *in, size_t n, uint8_t *out);
#define TBH_HUFFMAN_ROOM(n) ((n) / 5 * 8 + 8)
#endif

/* Encodes n bytes if that is shorter than n bytes; returns the length, or 0 when it is not. Up to
 * n + 8 bytes at `out` may be overwritten. */
TBH_FN size_t tbh_huffman_encode(uint8_t *out, const uint8_t *in, size_t n);
