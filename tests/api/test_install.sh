#!/bin/sh
# An installed Wick serves a stranger's program: by pkg-config and by CMake, and the installed command line works.
set -e
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake --install "$build" --prefix "$work/prefix" >/dev/null
"$work/prefix/bin/wick" --version | grep -q '^wick '
"$work/prefix/bin/wick" export "$source/examples/models/stories260K/stories260K.bin" -o "$work/model.pte" --quiet >/dev/null
for file in man/man1/wick.1 bash-completion/completions/wick zsh/site-functions/_wick fish/vendor_completions.d/wick.fish; do
    grep -q max_new_tokens "$work/prefix/share/$file"
done
flags=
grep -q '^WICK_SANITIZE:BOOL=ON' "$build/CMakeCache.txt" && flags=-fsanitize=address,undefined
grep -q '^WICK_TSAN:BOOL=ON' "$build/CMakeCache.txt" && flags=-fsanitize=thread

# The .pc files carry the configured prefix; --define-prefix takes the one they lie under.
PKG_CONFIG_PATH=$(find "$work/prefix" -type d -name pkgconfig)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
cc $flags "$source/examples/hello.c" $(pkg-config --define-prefix --cflags --libs wick) -o "$work/hello"
"$work/hello" "$work/model.pte" "Once upon a time" >"$work/answer"
[ "$(wc -w <"$work/answer")" -gt 20 ]

mkdir "$work/user"
cp "$source/examples/hello.c" "$work/user"
cat >"$work/user/CMakeLists.txt" <<'CMAKE'
cmake_minimum_required(VERSION 3.25)
project(user C)
find_package(wick REQUIRED)
add_executable(user hello.c)
target_link_libraries(user PRIVATE wick::wick)
CMAKE
cmake -S "$work/user" -B "$work/user/build" -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_C_FLAGS="$flags" >/dev/null
cmake --build "$work/user/build" >/dev/null
[ -x "$work/user/build/user" ]
