#!/bin/sh
# Completion scripts and the manual page: complete, and understood by the shells and formatters that are here.
exec python3 "$(dirname "$0")/completion_cases.py" "$1" "$2"
