#!/bin/sh
# wick pull, list and rm: from files, from a web server and from a hub, which here are a server on this machine that can do everything
# that servers do wrong.
exec python3 "$(dirname "$0")/pull_cases.py" "$1" "$2"
