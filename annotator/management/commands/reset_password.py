"""A link with which a person chooses a new password."""

from typing import Any

from django.core.management.base import CommandParser
from django.urls import reverse

from annotator.actions.projects import people
from annotator.links import public
from annotator.management.base import Command as Base
from annotator.management.base import user_named


class Command(Base):
    help = "Print a one-day link with which a person chooses a new password. Sends no e-mail."
    example = """
Example:
  manage.py reset_password lea

The link works once. Every session and token of the person ends when it is used.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = people.reset_link(user_named(options["username"]), None)
        self.say(public(reverse("reset_password", args=[secret])))
