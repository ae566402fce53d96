#!/bin/sh
# wick chat as somebody at a terminal meets it.
exec python3 "$(dirname "$0")/chat_at_terminal.py" "$1" "$2"
