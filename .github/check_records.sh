#!/usr/bin/env bash
# Checks the records that a pull request adds, with the code of this checkout.
#
#   .github/check_records.sh HEAD COMMENT
#
# HEAD is the pull request's commit, fetched and not checked out; COMMENT is the file that the
# comment is written to. Of HEAD only new files of leaderboard/records are taken, under names that a
# leaderboard gives, and their bytes alone: no links, no attributes, nothing that runs.
set -euo pipefail
cd "$(dirname "$0")/.."
head=$1 comment=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

max_bytes=$((64 * 1024 * 1024))
name='^leaderboard/records/([0-9a-f]+(\.[a-z]+)?(\.[0-9a-f]+)?\.json|weights/[0-9a-f]{64}\.safetensors|tokenizers/[0-9a-f]{64}\.json)$'
refuse() { printf '%q: %s\n' "$1" "$2" >> "$work/refused"; }

touch "$work/refused"
git diff --name-status --no-renames -z "HEAD...$head" -- leaderboard/records > "$work/changed"
while IFS= read -r -d '' status && IFS= read -r -d '' path; do
    if [[ $status != A ]]; then
        refuse "$path" "a record is never changed or taken away"
    elif [[ ! $path =~ $name ]]; then
        refuse "$path" "no file of a leaderboard"
    elif [[ $(git cat-file -t "$head:$path") != blob || $(git cat-file -s "$head:$path") -gt $max_bytes ]]; then
        refuse "$path" "not a file of at most $max_bytes bytes"
    else
        mkdir -p "$(dirname "$path")"
        git cat-file blob "$head:$path" > "$path"
    fi
done < "$work/changed"

verdict="Every record holds."
if ! python run.py leaderboard --check --format markdown > "$work/table" 2> "$work/said" \
    || [[ -s $work/refused ]]; then
    verdict="**Not every record holds.**"
fi
{
    echo "$verdict What was found:"
    echo
    cat "$work/refused" "$work/said" | head -c 8000 | sed 's/^/    /'
    echo
    echo "The table with these records:"
    echo
    # The file's own title and introduction are of no use in a comment; GitHub takes 65,536 bytes.
    tail -n +5 "$work/table" | head -c 50000
} > "$comment"
cat "$comment"
[[ $verdict == Every* ]]
