"""Bring an existing installation to this version: a backup first, then its migrations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from annotator.actions.instance.backup import backup

Report = Callable[[str], None]


def pending() -> list[str]:
    """Names of the migrations that this version brings and the database has not seen."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _ in plan]


def holds_something() -> bool:
    """Whether there is anything that an upgrade could hurt."""
    return bool(MigrationExecutor(connection).loader.applied_migrations)


def usual_target() -> Path:
    """Where the backup before an upgrade goes when nobody names another folder."""
    name = f"before-upgrade-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return Path(settings.DATA_DIR) / "backups" / name


def upgrade(target: Path | None, report: Report) -> list[str]:
    """Migrate, after a backup into `target` (None: without one). Returns what was migrated.

    An installation that is up to date, or still empty, is not backed up.
    """
    wanted = pending()
    if wanted and target is not None and holds_something():
        written = backup(target, report)
        report(f"Backed up {written.files:,} files into {written.folder}")
    if wanted:
        report(f"Running {len(wanted)} migrations")
        call_command("migrate", interactive=False, verbosity=0)
    return wanted
