"""A link with which people join a project."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.urls import reverse

from annotator.actions.projects import people
from annotator.links import public
from annotator.management.base import Command as Base
from annotator.management.base import project_named, user_named
from annotator.models import Role


class Command(Base):
    help = "Print an invitation link. It is shown this once only."
    example = """
Examples:
  manage.py invite 1 --role annotator --uses 20 --days 14
  manage.py invite "Support tickets" --role manager --by lea
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="number or name")
        parser.add_argument("--role", default=Role.ANNOTATOR.value, choices=Role.values)
        parser.add_argument("--uses", type=int, default=1, help="for how many people (1)")
        parser.add_argument("--days", type=int, default=7, help="how long it lives (7)")
        parser.add_argument("--note", default="", help="for yourself: whom it is for")
        parser.add_argument("--by", help="in whose name (the project's first owner)")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        if options["by"]:
            by = user_named(options["by"])
        else:
            owner = project.memberships.filter(role=Role.OWNER).order_by("pk").first()
            if owner is None:
                raise CommandError("The project has no owner. Name somebody with --by.")
            by = owner.user
        _, secret = people.invite(
            project,
            by,
            options["role"],
            max_uses=options["uses"],
            days=options["days"],
            note=options["note"],
        )
        self.say(public(reverse("join", args=[secret])))
