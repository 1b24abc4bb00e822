"""Make a project."""

from typing import Any

from django.core.management.base import CommandParser

from annotator.actions.projects import projects, schema
from annotator.management.base import Command as Base
from annotator.management.base import user_named
from annotator.models import ItemKind
from annotator.models.project import encoder_choices, strategy_choices, task_type_choices


class Command(Base):
    help = "Make a project with its labels. Prints the project's number."
    example = """
Examples:
  manage.py create_project "Support tickets" --owner lea --label Billing --label Delivery
  manage.py create_project Digits --owner lea --items image --task single

Then fill it with “manage.py import”.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, help="user name of its first owner")
        parser.add_argument(
            "--task", default="single", choices=[name for name, _ in task_type_choices()]
        )
        parser.add_argument("--items", default=ItemKind.TEXT.value, choices=ItemKind.values)
        parser.add_argument("--label", action="append", default=[], help="repeat for each label")
        parser.add_argument("--overlap", type=int, default=1, help="people asked per item (1)")
        parser.add_argument("--encoder", choices=[name for name, _ in encoder_choices()])
        parser.add_argument("--strategy", choices=[name for name, _ in strategy_choices()])

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {
            name: options[name] for name in ("overlap", "encoder", "strategy") if options[name]
        }
        project = projects.create_project(
            user_named(options["owner"]),
            options["name"],
            task_type=options["task"],
            item_kind=options["items"],
            **chosen,
        )
        schema.add_labels(project, [(name, "", "", "") for name in options["label"]])
        self.say(str(project.pk))
