"""Make an access token for a program."""

from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.projects import tokens
from annotator.management.base import Command as Base
from annotator.management.base import user_named


class Command(Base):
    help = "Make a token with which a program acts as a person. It is printed this once only."
    example = """
Example:
  TOKEN=$(manage.py create_token lea --days 30)
  curl -H "Authorization: Token $TOKEN" http://127.0.0.1:8000/api/v1/whoami
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--days", type=int, default=90, help="how long it lives (90)")

    def handle(self, *args: Any, **options: Any) -> None:
        _, secret = tokens.create_token(user_named(options["username"]), days=options["days"])
        self.say(secret)
