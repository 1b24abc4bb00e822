#!/bin/sh
# The gates, each with its name and seconds: test.sh all|fast [what pytest shall run]
# Three processes share the tests, file by file: those of a file may share a service or a folder. Two
# of them leave half of two cores idle, since tests wait for browsers, servers and jobs.
set -eu
depth=$1
shift
bin=${VENV:-.venv}/bin
DATA_DIR=$(mktemp -d) # the tools load the settings, which make a key there
chmod 711 "$DATA_DIR"
export DATA_DIR
trap 'rm -rf "$DATA_DIR"' EXIT
unset PYTHONDONTWRITEBYTECODE # pytest would rewrite every test anew, in each process and each run
failed=""

gate() {
    name=$1
    shift
    started=$(date +%s)
    if "$@"; then state=ok; else state=FAILED failed="$failed $name"; fi
    echo "── $name: $state ($(($(date +%s) - started)) s)"
}

fast="not slow and not browser and not dataset"
pytest="$bin/python -m pytest -q -n ${TEST_PROCESSES:-3} --dist loadfile --no-loadscope-reorder"
gate lint "$bin/ruff" check --quiet .
gate format "$bin/ruff" format --quiet --check .
gate types "$bin/mypy"
gate layers "$bin/lint-imports" --no-cache
gate migrations "$bin/python" manage.py makemigrations --check --dry-run
if [ "$depth" = fast ]; then
    gate tests $pytest -m "$fast" "$@"
else
    gate tests $pytest --durations=10 "$@"
fi
if [ -n "$failed" ]; then
    echo "Failed:$failed" >&2
    exit 1
fi
