"""Remove a deleted project for good, now."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.projects import purging
from annotator.management.base import Command as Base
from annotator.models import Project


class Command(Base):
    help = "Remove a deleted project for good, without waiting out its week."
    example = """
Examples:
  manage.py purge            lists the deleted projects
  manage.py purge 3 --yes    removes project 3, its answers and its files; there is no way back
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=int, nargs="?", help="number of a deleted project")
        parser.add_argument("--yes", action="store_true", help="mean it")

    def handle(self, *args: Any, **options: Any) -> None:
        deleted = Project.objects.exclude(archived_at=None).order_by("pk")
        if options["project"] is None:
            rows = [f"{one.pk}\t{one.name}\tdeleted {one.archived_at:%Y-%m-%d}" for one in deleted]
            self.say(*(rows or ["No project is deleted."]))
            return
        project = deleted.filter(pk=options["project"]).first()
        if project is None:
            raise CommandError(f"Project {options['project']} is not there, or is not deleted.")
        if not options["yes"]:
            raise CommandError(f"This removes “{project.name}” for good. Repeat it with --yes.")
        gone = purging.purge_now(project)
        self.say(f"Purged “{project.name}” with {gone:,} annotations and its files.")
