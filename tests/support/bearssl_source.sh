#!/bin/sh
# Unpacks Debian's source package of BearSSL into the folder given as argument: from the mirrors that
# apt uses anyway, asked for sources, too, without touching apt's own configuration.
set -eu
mkdir -p "$1/lists/partial" "$1/parts"
folder=$(cd "$1" && pwd)
for file in /etc/apt/sources.list.d/*.sources; do
    [ -e "$file" ] && sed 's/^Types:.*/Types: deb-src/' "$file" > "$folder/parts/$(basename "$file")"
done
for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -e "$file" ] && sed -n 's/^deb /deb-src /p' "$file" > "$folder/parts/$(basename "$file" .list).list"
done
apt() {
    apt-get -qq -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$folder/parts" \
        -o Dir::State::Lists="$folder/lists" -o APT::Sandbox::User= "$@"
}
apt update 2>/dev/null || true # a mirror without sources does not matter
cd "$folder"
apt source --download-only bearssl >/dev/null
mkdir -p tree
tar -xf bearssl_*.orig.tar.* -C tree --strip-components=1
