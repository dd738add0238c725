#!/bin/sh
# What users see of the header: nothing leaks, misspelt activation is an error, -std=c99 is enough.
set -eu
passed=0
pass() { passed=$((passed + 1)); }

# Only our prefixes remain defined (include guards and feature macros of the system apart).
printf '#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n' | gcc -std=c99 -D_GNU_SOURCE -dM -E - | sort > build/macros.before
printf '#include "turbohttp.h"\n' | gcc -std=c99 -D_GNU_SOURCE -I. -dM -E - | sort > build/macros.after
leaked=$(comm -13 build/macros.before build/macros.after | grep -v '#define TURBOHTTP_' || true)
[ -z "$leaked" ] || { echo "declarations leak: $leaked"; exit 1; }
pass
printf '#define TURBOHTTP_IMPLEMENTATION\n#include "turbohttp.h"\n' | gcc -std=c99 -I. -dM -E - | grep -E '#define (TBH_|tbh_)' && { echo "implementation leaks"; exit 1; }
pass

# Only our symbols are external; with TURBOHTTP_STATIC none is.
printf '#define TURBOHTTP_IMPLEMENTATION\n#include "turbohttp.h"\n' > build/symbols.c
gcc -std=c99 -I. -c build/symbols.c -o build/symbols.o
foreign=$(nm -g --defined-only build/symbols.o | awk '{print $3}' | grep -v '^turbohttp_' || true)
[ -z "$foreign" ] || { echo "foreign symbols: $foreign"; exit 1; }
pass
gcc -std=c99 -DTURBOHTTP_STATIC -I. -c build/symbols.c -o build/symbols.o
[ -z "$(nm -g --defined-only build/symbols.o)" ] || { echo "TURBOHTTP_STATIC leaves symbols"; exit 1; }
pass

# A misspelt activation is an error, not silence.
! printf '#define TURBOHTTP_IMPL\n#include "turbohttp.h"\n' | gcc -std=c99 -I. -fsyntax-only -x c - 2>build/misspelt.txt
grep -q 'TURBOHTTP_IMPLEMENTATION' build/misspelt.txt
pass

# A renamed copy beside the original in one program.
./amalgamate.py --prefix mygame_http -o build/mygame_http.h > /dev/null
printf '#define MYGAME_HTTP_IMPLEMENTATION\n#include "mygame_http.h"\n' > build/renamed.c
gcc -std=c99 -Ibuild -c build/renamed.c -o build/renamed.o
gcc -std=c99 -I. -c build/symbols.c -o build/symbols.o
printf 'int main(void){return 0;}\n' | gcc -x c - -x none build/renamed.o build/symbols.o -o build/renamed -pthread
pass

# A feature left out is gone from the text, and what is left compiles.
./amalgamate.py --without inflate --without dns_stub -o build/small.h > /dev/null
! grep -q 'turbohttp_inflate_run' build/small.h
printf '#define TURBOHTTP_IMPLEMENTATION\n#include "small.h"\n' | gcc -std=c99 -Ibuild -c -x c - -o build/small.o
pass

# Declarations first, implementation later: fine where POSIX is visible, a clear error where -std=c99 hides it.
printf '#include "turbohttp.h"\n#define TURBOHTTP_IMPLEMENTATION\n#include "turbohttp.h"\n' > build/later.c
gcc -std=gnu99 -I. -c build/later.c -o build/later.o
pass
! gcc -std=c99 -I. -c build/later.c -o build/later.o 2> build/later.txt
grep -q 'define _GNU_SOURCE before the first include' build/later.txt
pass

# Hostile macros of other people's headers (lwIP, windows.h) before ours.
printf '#define min(a,b) x\n#define max(a,b) x\n#define close lwip_close\n#define send lwip_send\n#define recv lwip_recv\n#define connect lwip_connect\n#define bit(x) y\n#define round z\n#include "turbohttp.h"\n' | gcc -std=c99 -I. -fsyntax-only -x c -
pass
# The declarations' sizes do not depend on any switch.
for switch in TURBOHTTP_NONE TURBOHTTP_NO_SOCKETS TURBOHTTP_NO_THREADS TURBOHTTP_NO_INFLATE TURBOHTTP_DEBUG_GUARDS TURBOHTTP_NO_SIMD; do
    printf '#include <stdio.h>\n#include "turbohttp.h"\nint main(void){printf("%%zu %%zu %%zu %%zu %%zu\\n",sizeof(turbohttp_response),sizeof(turbohttp_client_desc),sizeof(turbohttp_request_desc),sizeof(turbohttp_byte_pool),sizeof(turbohttp_segments));return 0;}\n' | gcc -std=c99 -D$switch -I. -x c - -o build/sizes
    ./build/sizes
done | sort -u | wc -l | grep -qx 1
pass
echo "$passed passed, 0 failed"
