#!/bin/sh
# The whole road, from a spec on disk to an answer. Run from the top of the repository: make demo
set -eu

sample=samples/digits

step() {
    printf '\n$ %s\n' "$*"
    "$@"
}

printf 'A handwritten digit nobody trained on (%s/input.json):\n' "$sample"
PYTHONIOENCODING=utf-8 python "$sample/show.py"

step python "$sample/build.py"
step wfctl validate "$sample"
step wfctl render "$sample"
step wfctl archive --workflow-name digits --spec-file "$sample/workflow.yaml" --handler "$sample/handler.py" \
    --export-path "$sample" --force
step wfctl run "$sample/input.json" --workflow "$sample/digits.war" -v
echo
