#!/bin/sh
# Load, kills, races and fuzzing, round after round with a fresh seed, for MINUTES. Stops at the
# first failure and says which seed repeats it.
set -eu
bin=${VENV:-.venv}/bin
end=$(($(date +%s) + ${MINUTES:-10} * 60))
round=${SEED:-1}
while [ "$(date +%s)" -lt "$end" ]; do
    if ! SOAK_SEED=$round HYPOTHESIS_PROFILE=soak "$bin/python" -m pytest -q -x -m "fault or fuzz" tests; then
        echo "Round $round failed; repeat it with: make soak SEED=$round MINUTES=1" >&2
        exit 1
    fi
    echo "── round $round ok"
    round=$((round + 1))
done
