"""What our commands share: teaching help, one sentence for a refusal, finding rows by name."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import (
    BaseCommand,
    CommandError,
    CommandParser,
    DjangoHelpFormatter,
)

from annotator.errors import AnnotatorError
from annotator.models import ROLES, Can, Project, User
from annotator.runtime.errors import StartError
from learning.errors import LearningError


class Teaching(DjangoHelpFormatter):
    """Keeps the lines of examples as they were written."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n".join(indent + line for line in text.strip().splitlines())


class Command(BaseCommand):
    """A thin command: parse, one action, say what happened. A refusal is one sentence."""

    example = ""
    requires_system_checks: list[str] = []

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Put the example under the help."""
        return super().create_parser(
            prog_name, subcommand, epilog=self.example, formatter_class=Teaching, **kwargs
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Turn what the product refuses into the command's one sentence."""
        try:
            return super().execute(*args, **options)
        except (AnnotatorError, LearningError, StartError) as refusal:
            raise CommandError(str(refusal)) from refusal

    def say(self, *lines: str) -> None:
        """Print lines for a person or the next program."""
        for line in lines:
            self.stdout.write(line)

    def note(self, line: str) -> None:
        """Print progress, which no next program reads."""
        self.stderr.write(line, ending="\n")


def user_named(name: str) -> User:
    """The account with this user name or e-mail address."""
    found = User.objects.filter(username__iexact=name).first()
    found = found or User.objects.filter(email__iexact=name).first()
    if found is None:
        raise CommandError(f"There is no account “{name}”. Make it with “manage.py create_user”.")
    return found


def project_named(name: str) -> Project:
    """The project with this number or, if only one has it, this name."""
    projects = Project.objects.active()
    if name.isascii() and name.isdigit():
        found = list(projects.filter(pk=int(name))[:1])
    else:
        found = list(projects.filter(name=name)[:2])
    if len(found) > 1:
        raise CommandError(f"Several projects are called “{name}”; give the number instead.")
    if not found:
        known = ", ".join(f"{one.pk} {one.name}" for one in projects.order_by("pk")[:10])
        raise CommandError(f"There is no project “{name}”. There are: {known or 'none'}.")
    return found[0]


def named_by(project: Project, name: str | None, can: Can) -> User | None:
    """The account in whose name a command runs, None for the operator, who may do everything.

    Raises CommandError where the account's role in the project does not allow it.
    """
    if name is None:
        return None
    user = user_named(name)
    if not Project.objects.for_user(user, can).filter(pk=project.pk).exists():
        roles = ", ".join(role.label.lower() for role in ROLES[can])
        raise CommandError(f"“{name}” may not do that in “{project}”. Who may: {roles}.")
    return user


def password_from_input() -> str:
    """A password: typed twice unseen, or one line of a pipe; never an argument that `ps` shows."""
    import getpass

    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Password again: "):
        raise CommandError("The two passwords differ.")
    return first
