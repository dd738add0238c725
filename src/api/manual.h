/* turbohttp.h - an HTTP client in one file (MIT license, at the end)
 *
 *     #define TURBOHTTP_IMPLEMENTATION    in ONE .c or .cpp file, before
 *     #include "turbohttp.h"
 */
