"""Blank what a person or an item said, and keep the ledger whole."""

import getpass
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.projects import redacting
from annotator.management.base import Command as Base
from annotator.management.base import project_named, user_named
from annotator.models import Annotation, Item


class Command(Base):
    help = "Blank an item, an annotation's comment, or a person's name and comments."
    example = """
Examples:
  manage.py redact --item 1 42 --yes       item number 42 of project 1
  manage.py redact --annotation UUID --yes
  manage.py redact --person ana --yes      the answers stay, without a name

Labels, hashes and positions stay, so the ledger still verifies. Snapshots and backups that were
written before are files of their own: delete them if they must not hold this either.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--item", nargs=2, metavar=("PROJECT", "NUMBER"))
        what.add_argument("--annotation", metavar="UUID")
        what.add_argument("--person", metavar="USERNAME")
        parser.add_argument("--yes", action="store_true", help="mean it: there is no way back")

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["yes"]:
            raise CommandError("What is blanked is gone for good. Repeat it with --yes.")
        by = f"command by {getpass.getuser()}"
        if options["item"]:
            blanked = redacting.redact_item(self.item(*options["item"]), by)
            self.say(f"Blanked the item and {blanked} comments on it.")
        elif options["annotation"]:
            redacting.redact_annotation(self.annotation(options["annotation"]), by)
            self.say("Blanked the annotation's comment and reason.")
        else:
            blanked = redacting.redact_person(user_named(options["person"]), by)
            self.say(f"Blanked the account, its names and {blanked} comments; its answers stay.")

    def item(self, project: str, number: str) -> Item:
        found = None
        if number.isascii() and number.isdigit():
            rows = Item.objects.filter(project=project_named(project))
            found = rows.filter(number=int(number)).first()
        if found is None:
            raise CommandError(f"There is no item number {number} in that project.")
        return found

    def annotation(self, uuid: str) -> Annotation:
        from uuid import UUID

        try:
            found = Annotation.objects.filter(uuid=UUID(uuid)).first()
        except ValueError as error:
            raise CommandError(f"“{uuid}” is not a UUID.") from error
        if found is None:
            raise CommandError("There is no annotation with this UUID.")
        return found
