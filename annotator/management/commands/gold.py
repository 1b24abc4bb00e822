"""Gold items: list them, add some from a file or by a search, ask some no more."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from annotator.actions.desk import golding
from annotator.actions.explore import searching
from annotator.management.base import Command as Base
from annotator.management.base import named_by, project_named
from annotator.models import Can, GoldItem, Item, Label, Project, User, VerdictSource


class Command(Base):
    help = "List, add and end gold items: items with a known answer, which people meet unseen."
    example = """
Examples:
  manage.py gold --project 1                         those that are asked, a JSON line each
  manage.py gold --project 1 --add ids.txt           an id of your own or #number on each line
  manage.py gold --project 1 --query "refund twice"  those that a search finds and whose answer is known
  manage.py gold --project 1 --draw 50 --known-from truth
  manage.py gold --project 1 --remove ids.txt --by lea

An answer is known where a reviewer decided it or a file brought it as truth. With --by the
account's role in the project is what it is on the page: owner or manager.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--project", required=True, help="number or name")
        wish = parser.add_mutually_exclusive_group()
        wish.add_argument("--add", type=Path, metavar="FILE", help="make the items in it gold")
        wish.add_argument("--query", help="make what this search finds gold")
        wish.add_argument("--draw", type=int, metavar="N", help="make so many gold, at random")
        wish.add_argument("--remove", type=Path, metavar="FILE", help="ask the items in it no more")
        parser.add_argument(
            "--known-from",
            default=VerdictSource.REVIEWER.value,
            choices=[source.value for source in golding.KNOWN],
            help="with --draw: who decided the answers (reviewer)",
        )
        parser.add_argument("--note", default="", help="why this is the answer")
        parser.add_argument("--by", help="in whose name")

    def handle(self, *args: Any, **options: Any) -> None:
        project = project_named(options["project"])
        by = named_by(project, options["by"], Can.MANAGE)
        if options["remove"]:
            ended = _end(project, _named(project, options["remove"]))
            self.note(f"Gold items ended: {ended:,}.")
        elif (made := _made(project, by, options)) is not None:
            self.note(f"Gold items added: {len(made):,}.")
        names = dict(Label.objects.filter(project=project).values_list("pk", "name"))
        gold = GoldItem.objects.standing().filter(project=project).select_related("item")
        for each in gold.order_by("item__number"):
            self.say(json.dumps(_told(each, names), ensure_ascii=False))


def _made(project: Project, by: User | None, options: dict[str, Any]) -> list[GoldItem] | None:
    """What was asked for, made gold; None when nothing was."""
    if options["draw"] is not None:
        return golding.add_some(project, by, options["draw"], options["known_from"])
    if options["add"]:
        items = _named(project, options["add"])
    elif options["query"]:
        items = _found(project, options["query"])
    else:
        return None
    return golding.add(project, by, items, note=options["note"])


def _named(project: Project, path: Path) -> list[Item]:
    """The items of a file, one a line. Refuses, by its line, what is no item of the project."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read as text: {error}.") from error
    words = {place: word for place, line in enumerate(lines, start=1) if (word := line.strip())}
    items = Item.objects.filter(project=project).present()
    by_id = {item.external_id: item for item in items.filter(external_id__in=words.values())}
    numbers = {word: int(word[1:]) for word in words.values() if _is_number(word)}
    by_number = {item.number: item for item in items.filter(number__in=numbers.values())}
    found = {}
    for place, word in words.items():
        item = by_id.get(word) or by_number.get(numbers.get(word, -1))
        if item is None:
            raise CommandError(f"{path}, line {place}: the project has no item “{word}”.")
        found[item.pk] = item
    return list(found.values())


def _is_number(word: str) -> bool:
    digits = word.removeprefix("#")
    return digits != word and digits.isascii() and digits.isdigit() and len(digits) < 10


def _found(project: Project, query: str) -> list[Item]:
    fitting = searching.matching(project, searching.read_filter({"query": query}))
    items = list(golding.candidates(project).filter(pk__in=fitting.values("pk")))
    if not items:
        raise CommandError(f"Nothing that “{query}” finds has a known answer and is not gold yet.")
    return items


def _end(project: Project, items: Sequence[Item]) -> int:
    standing = GoldItem.objects.standing().filter(project=project)
    gold = {each.item_id: each for each in standing.filter(item__in=[item.pk for item in items])}
    for item in items:
        if item.pk not in gold:
            raise CommandError(f"#{item.number} ({item}) is no gold item.")
    for each in gold.values():
        golding.end(each)
    return len(gold)


def _told(gold: GoldItem, names: dict[int, str]) -> dict[str, Any]:
    return {
        "item": gold.item.number,
        "id": gold.item.external_id,
        "labels": [names.get(pk) for pk in gold.labels],
        "note": gold.note,
    }
