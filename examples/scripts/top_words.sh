#!/bin/sh
# The most frequent words of a file: top_words.sh FILE NUMBER
set -eu
[ -s "$1" ] || { echo "$1 is empty" >&2; exit 80; }
echo "progress: 0.1 counting" >&2
tr -cs '[:alpha:]' '\n' <"$1" | tr '[:upper:]' '[:lower:]' | sort | uniq -c | sort -rn -k1,1 | head -n "$2" | awk '{print $2, $1}'
