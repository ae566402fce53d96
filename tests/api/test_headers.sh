#!/bin/sh
# The public headers compile alone, as C and as C++, with strict warnings.
set -e
source=$2
for header in wick.h wick_export.h; do
    echo "#include \"$header\"" | cc -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$source/include" -fsyntax-only -x c -
    echo "#include \"$header\"" | c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -I"$source/include" -fsyntax-only -x c++ -
done
