"""SQL of the label loop, run as prepared statements: planned once per connection, not per answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, LiteralString, TypeVar

import psycopg
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model

Row = TypeVar("Row", bound=Model)

# Prepare what is asked for here and nothing by count, so that Django's own queries stay as they are.
_NEVER_BY_COUNT = 1_000_000_000


def run_prepared(sql: LiteralString, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run a statement in the present transaction; returns its rows. Errors are Django's own."""
    connection.close_if_health_check_failed()  # Django asks in its own cursors only
    connection.ensure_connection()
    raw = connection.connection
    raw.prepare_threshold = _NEVER_BY_COUNT
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        cursor.execute(sql, values, prepare=True)
        return cursor.fetchall() if cursor.description else []


def partly_loaded(model: type[Row], values: Mapping[str, Any]) -> Row:
    """A row as such a statement read it: what was not asked for is loaded when it is used."""
    fields = [f.attname for f in model._meta.concrete_fields if f.attname in values]
    return model.from_db(DEFAULT_DB_ALIAS, fields, [values[name] for name in fields])
