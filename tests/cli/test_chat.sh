#!/bin/sh
# wick chat as somebody at a terminal meets it. Leaks are not looked for here: libedit never gives back the name and the help of a function
# added with EL_ADDFN (two small strings a process).
export ASAN_OPTIONS=detect_leaks=0
exec python3 "$(dirname "$0")/chat_at_terminal.py" "$1" "$2"
