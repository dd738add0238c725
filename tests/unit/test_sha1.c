/* SHA-1: published vectors, block edges, every split. */
#define TURBOHTTP_IMPLEMENTATION
#include "turbohttp.h"

#define DIGEST_BYTES TURBOHTTP_SHA1_BYTES
typedef turbohttp_sha1 sha;
#define sha_init   turbohttp_sha1_init
#define sha_update turbohttp_sha1_update
#define sha_finish turbohttp_sha1_finish

static const char of_abc[] = "a9993e364706816aba3e25717850c26c9cd0d89d";
static const char of_two_blocks[] = "84983e441c3bd26ebaae4aa1f95129e5e54670f1";
static const char of_a_million[] = "34aa973cd4c4daa4f61eeb2bdbad27316534016f";

/* Lengths around the block and padding edges (computed with another implementation). */
static const struct {
    size_t length;
    const char *hex;
} lengths[] = {
    {0, "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {1, "9842926af7ca0a8cca12604f945414f07b01e13d"},
    {3, "4201de9f98cb0a9b8cf52398be7802b55d45266a"},
    {55, "ddf57317ef34bfee3b6df83d359098930eb278bc"},
    {56, "a0d492bb0fc889d0eca3bc137066ab6f4f74f369"},
    {57, "11a02dcf95859677a62e75024067c22b165d890f"},
    {63, "c55856749bef509bdfe6bfebfc7bf4e793e82132"},
    {64, "bede92be29c3874e1b54ddc77988d606fc857a8e"},
    {65, "b05a80522b053d6dc7e0a517d0e70212c7dad11f"},
    {119, "504e27376a6e0f0dba8295b85cb25dc4dfa17d23"},
    {120, "82134b02fb3f702491be9bed581eeab59334acb2"},
    {127, "34d5e582029e9b9b85b2febe31da3db7cdabaaea"},
    {128, "a09133e6730ffe899efb70204cb5646cd5dc24ee"},
    {129, "808aea332ce367541d37adae7f94e59c5c1a934e"},
    {1000, "4231a8a50a10fa9758db8ec71fdef855b751048a"},
};

#include "sha_tests.h"
