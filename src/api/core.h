/* ------------------------------------------------------------------------
 * Core: version, linkage, and the small types that every chapter uses.
 * ------------------------------------------------------------------------ */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Version of this header: major, minor, patch; see CHANGELOG.md. */
#define TURBOHTTP_VERSION_MAJOR 0
#define TURBOHTTP_VERSION_MINOR 1 /**< Minor version. */
#define TURBOHTTP_VERSION_PATCH 0 /**< Patch version. */
/** The version as text, `"0.1.0"`. */
#define TURBOHTTP_VERSION "0.1.0"

/** Linkage of every public function: external, or private to the translation
 *  unit when `TURBOHTTP_STATIC` is defined before each include. */
#ifndef TURBOHTTP_API
#if defined(TURBOHTTP_STATIC) && (defined(__GNUC__) || defined(__clang__))
#define TURBOHTTP_API static __attribute__((unused))
#elif defined(TURBOHTTP_STATIC)
#define TURBOHTTP_API static
#else
#define TURBOHTTP_API extern
#endif
#endif

/** Read-only bytes that belong to somebody else: text is not terminated.
 *  Valid until: as the function that returns it says. */
typedef struct turbohttp_span {
    const char *data; /**< first byte; may be NULL when length is 0 */
    size_t length;    /**< bytes */
} turbohttp_span;
