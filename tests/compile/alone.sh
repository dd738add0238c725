#!/bin/sh
# Each file of src/ compiles alone, without warnings; the private ones are not meant to be linked.
set -eu
for file in src/*/*.c; do
    gcc -std=c99 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -c "$file" -o build/alone.o
done
