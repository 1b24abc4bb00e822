import io

from annotator.formats import FORMATS, Problem, Record


def read(format, data, **options):
    """All rows of some bytes."""
    return list(FORMATS.create(format, options).read(io.BytesIO(data)))


def fields(rows):
    return [row.fields for row in rows if isinstance(row, Record)]


def problems(rows):
    return [row for row in rows if isinstance(row, Problem)]


def bad_rows(rows):
    return [(row.row, row.column) for row in problems(rows)]
