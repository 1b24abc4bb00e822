"""Stops the reading of a file that holds more than it could, or next to nothing that is right."""

from __future__ import annotations

from annotator.formats.records import (
    LIMITS,
    MEGABYTE,
    FormatError,
    Limits,
    Problem,
    Rows,
    weight,
)

MOST_PROBLEMS = 10_000
_FREE_CHARACTERS = 64 * MEGABYTE


def guarded(rows: Rows, size_bytes: int, limits: Limits = LIMITS) -> Rows:
    """Pass rows on; raise FormatError once they outgrow a file of `size_bytes` or are mostly bad.

    Dictionaries and references let a small file speak of one text a million times: what a file's
    own figures hide shows here, where the rows come out.
    """
    problems = good = characters = 0
    most = min(limits.unpacked_bytes, max(_FREE_CHARACTERS, size_bytes * limits.inflation))
    for row in rows:
        if isinstance(row, Problem):
            problems += 1
            if problems > MOST_PROBLEMS and problems > good:
                raise FormatError(
                    f"More than {MOST_PROBLEMS:,} rows are bad, and fewer are good. "
                    "Is this the right file, with the right encoding and delimiter?"
                )
        else:
            good += 1
            characters += sum(map(weight, row.fields.values()))
            if characters > most:
                raise FormatError(
                    f"The file unpacks to more than {limits.inflation} times its size; "
                    "it is refused as a possible bomb."
                )
        yield row
