"""Make a project."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.projects import copying, projects, schema
from annotator.management.base import Command as Base
from annotator.management.base import project_named, user_named
from annotator.models import ItemKind
from annotator.models.project import encoder_choices, strategy_choices, task_type_choices


class Command(Base):
    help = "Make a project with its labels. Prints the project's number."
    example = """
Examples:
  manage.py create_project "Support tickets" --owner lea --label Billing --label Delivery
  manage.py create_project Digits --owner lea --items image --task single
  manage.py create_project "Tickets of May" --owner lea --like "Support tickets"

Then fill it with “manage.py import”.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--owner", required=True, help="user name of its first owner")
        tasks = [name for name, _ in task_type_choices()]
        parser.add_argument("--task", choices=tasks, help="what an answer is (single)")
        parser.add_argument("--items", choices=ItemKind.values, help="what an item is (text)")
        parser.add_argument("--like", help="number or name of a project whose set-up is copied")
        parser.add_argument("--label", action="append", default=[], help="repeat for each label")
        parser.add_argument("--overlap", type=int, help="people asked per item (1)")
        parser.add_argument("--encoder", choices=[name for name, _ in encoder_choices()])
        parser.add_argument("--strategy", choices=[name for name, _ in strategy_choices()])

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = {
            name: options[name] for name in ("overlap", "encoder", "strategy") if options[name]
        }
        if options["like"]:
            self._copy(options, chosen)
            return
        project = projects.create_project(
            user_named(options["owner"]),
            options["name"],
            task_type=options["task"] or "single",
            item_kind=options["items"] or ItemKind.TEXT,
            **chosen,
        )
        schema.add_labels(project, [(name, "", "", "") for name in options["label"]])
        self.say(str(project.pk))

    def _copy(self, options: dict[str, Any], chosen: dict[str, Any]) -> None:
        if chosen or options["label"] or options["task"]:
            raise CommandError(
                "With --like the task, settings and labels are those of the other project."
            )
        source, owner = project_named(options["like"]), user_named(options["owner"])
        kind = options["items"] or ""
        made = copying.create_like(source, owner, options["name"], item_kind=kind)
        self.say(str(made.pk))
