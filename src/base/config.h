/* Switches, normalised to 0 or 1, and what the compiler offers. Everything after this file tests
 * `#if TBH_X`, never `#ifdef TURBOHTTP_X`, so that a misspelt switch is an error and not a silence. */
#pragma once

#ifdef TURBOHTTP_NO_SOCKETS
#define TBH_SOCKETS 0
#else
#define TBH_SOCKETS 1
#endif

#if defined(TURBOHTTP_NO_THREADS) || defined(TURBOHTTP_NO_SOCKETS)
#define TBH_THREADS 0
#else
#define TBH_THREADS 1
#endif

#if defined(__linux__) && !defined(TURBOHTTP_NO_EPOLL) && !defined(TURBOHTTP_NO_SOCKETS)
#define TBH_EPOLL 1
#else
#define TBH_EPOLL 0
#endif

#ifdef TURBOHTTP_NO_INFLATE
#define TBH_INFLATE 0
#else
#define TBH_INFLATE 1
#endif

#ifdef TURBOHTTP_NO_DNS_STUB
#define TBH_DNS_STUB 0
#else
#define TBH_DNS_STUB 1
#endif

#ifdef TURBOHTTP_NO_TLS
#define TBH_TLS 0
#else
#define TBH_TLS 1
#endif

#ifdef TURBOHTTP_NO_HTTP2
#define TBH_HTTP2 0
#else
#define TBH_HTTP2 1
#endif

#ifdef TURBOHTTP_NO_LENIENT
#define TBH_LENIENT 0
#else
#define TBH_LENIENT 1
#endif

#ifdef TURBOHTTP_NO_SENTENCES
#define TBH_SENTENCES 0
#else
#define TBH_SENTENCES 1
#endif

#ifdef TURBOHTTP_DEBUG_GUARDS
#define TBH_GUARDS 1
#else
#define TBH_GUARDS 0
#endif

/* Size before speed: firmware is built with -Os. TURBOHTTP_SMALL asks for it at any level. */
#if defined(TURBOHTTP_SMALL) || defined(__OPTIMIZE_SIZE__)
#define TBH_SMALL 1
#else
#define TBH_SMALL 0
#endif

/* Vector paths. TURBOHTTP_NO_SIMD forces the portable one, which is tested as hard. */
#if defined(TURBOHTTP_NO_SIMD)
#define TBH_SSE2 0
#define TBH_AVX2 0
#define TBH_NEON 0
#else
#if defined(__AVX2__)
#define TBH_AVX2 1
#else
#define TBH_AVX2 0
#endif
#if defined(__SSE2__) || (defined(_M_X64) && !defined(_M_ARM64EC))
#define TBH_SSE2 1
#else
#define TBH_SSE2 0
#endif
#if defined(__aarch64__) && defined(__ARM_NEON)
#define TBH_NEON 1
#else
#define TBH_NEON 0
#endif
#endif

#if defined(__GNUC__) || defined(__clang__)
#define TBH_UNUSED      __attribute__((unused))
#define TBH_LIKELY(x)   __builtin_expect(!!(x), 1)
#define TBH_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define TBH_NOINLINE    __attribute__((noinline))
#if TBH_SMALL
#define TBH_ALWAYS_INLINE static inline TBH_UNUSED /* the compiler knows what is smaller */
#else
#define TBH_ALWAYS_INLINE static inline __attribute__((always_inline, unused))
#endif
#else
#define TBH_UNUSED
#define TBH_LIKELY(x)   (x)
#define TBH_UNLIKELY(x) (x)
#define TBH_NOINLINE
#define TBH_ALWAYS_INLINE static inline
#endif

/* Linkage of private functions: static in the shipped header, external when a file of src/ is
 * compiled alone. A switch may leave one without a caller, hence `unused`. */
#ifdef TBH_AMALGAM
#define TBH_FN static TBH_UNUSED
#else
#define TBH_FN extern
#endif

/* Byte order of the target; used only to choose a faster load. */
#if defined(__BYTE_ORDER__) && defined(__ORDER_LITTLE_ENDIAN__)
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TBH_LITTLE_ENDIAN 1
#else
#define TBH_LITTLE_ENDIAN 0
#endif
#elif defined(_WIN32)
#define TBH_LITTLE_ENDIAN 1
#else
#define TBH_LITTLE_ENDIAN 0
#endif
