#!/bin/sh
# libwick-core asks for nothing but libc, libm and threads: a program that pulls in all of it links with those alone.
set -e
build=$1
lib=$(ls "$build"/libwick-core.a)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int main(void) { return 0; }' >"$work/main.c"
flags=
grep -q '^WICK_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && flags=-fsanitize=address,undefined
grep -q '^WICK_TSAN:BOOL=ON' "$build/CMakeCache.txt" && flags=-fsanitize=thread
cc $flags "$work/main.c" -Wl,--whole-archive "$lib" -Wl,--no-whole-archive -lm -lpthread -o "$work/main"
