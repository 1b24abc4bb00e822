"""Make an account."""

from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.projects import people
from annotator.management.base import Command as Base
from annotator.management.base import password_from_input


class Command(Base):
    help = "Make an account. The password is asked for, or read from standard input."
    example = """
Examples:
  manage.py create_user lea --email lea@example.org
  echo 'correct horse battery staple' | manage.py create_user lea --admin

With --admin the account may open /admin/ and reset every password.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--email", default="", help="another name to sign in with")
        parser.add_argument("--admin", action="store_true", help="an instance admin")

    def handle(self, *args: Any, **options: Any) -> None:
        user = people.create_user(options["username"], password_from_input(), options["email"])
        if options["admin"]:
            people.make_admin(user)
        self.say(f"Made the account {user.username}.")
