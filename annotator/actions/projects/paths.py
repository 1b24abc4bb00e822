"""Labels of a tree, each named by its path, so that the name says which one wherever it stands alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from annotator.errors import InvalidError
from annotator.models import Label

# Name, key, description and hotkey of a label to be added.
Entry = tuple[str, str, str, str]


def cleaned(name: str) -> str:
    """A path with one space around each separator. Raises InvalidError for a part without a name."""
    parts = [" ".join(part.split()) for part in name.split(Label.BELOW.strip())]
    if not all(parts):
        raise InvalidError(f"A part of “{name.strip()[:80]}” has no name.", field="name")
    return Label.BELOW.join(parts)


def above(path: str) -> str:
    """The path of the label right above; empty at the top."""
    return path.rpartition(Label.BELOW)[0]


def below(parent: Label | None, name: str) -> str:
    """The path of a label that is called so and stands right below another, or at the top."""
    return cleaned(f"{parent.name}{Label.BELOW}{name}" if parent else name)


def with_branches(entries: Sequence[Entry], known: Iterable[str]) -> list[Entry]:
    """Entries named by their paths, each after the branches above it that are not there yet.

    known: the folded names of the labels that there are.
    """
    taken = set(known)
    found: dict[str, Entry] = {}
    for entry in entries:
        path = entry[0]
        branches = []
        branch = above(path)
        while branch and branch.casefold() not in taken | found.keys():
            branches.append(branch)
            branch = above(branch)
        found |= {each.casefold(): (each, "", "", "") for each in reversed(branches)}
        found[path.casefold()] = entry
    return list(found.values())


def attach(labels: Sequence[Label], known: Sequence[Label], wished: Sequence[Entry]) -> list[Label]:
    """Say of new labels which one is right above each; returns those of the wished entries."""
    live = [label for label in known if label.archived_at is None]
    by_path = {label.name.casefold(): label for label in (*live, *labels)}
    for label in labels:
        label.parent = by_path.get(above(label.name).casefold())
    Label.objects.bulk_update([label for label in labels if label.parent_id], ["parent"])
    return [by_path[path.casefold()] for path, *_ in wished]


def renamed(label: Label, name: str) -> str:
    """The path that a label has after its last part is called otherwise."""
    part = name.strip().removeprefix(f"{above(label.name)}{Label.BELOW}")
    if Label.BELOW.strip() in part:
        raise InvalidError("A label keeps its branch: name its last part only.", field="name")
    return cleaned(f"{above(label.name)}{Label.BELOW}{part}" if label.branch else part)


def carry(label: Label, former: str) -> None:
    """Let what is below a renamed label follow its new path."""
    below = list(
        Label.objects.filter(project_id=label.project_id, name__startswith=f"{former}{Label.BELOW}")
    )
    for each in below:
        each.name = f"{label.name}{each.name[len(former) :]}"
    if any(len(each.name) > Label.LONGEST_NAME for each in below):
        raise InvalidError(
            f"A label below would have a path of more than {Label.LONGEST_NAME} characters.",
            field="name",
        )
    Label.objects.bulk_update(below, ["name"])


def difference(one: str, other: str) -> str:
    """Where two paths part, in a sentence: at the top, at the end, or only in how far they go."""
    lines = [path.split(Label.BELOW) for path in (one, other)]
    pairs = zip(*lines, strict=False)
    common = [one for one, _ in takewhile(lambda pair: pair[0] == pair[1], pairs)]
    if not common:
        return f"The branches differ: {lines[0][0]} or {lines[1][0]}."
    shared = Label.BELOW.join(common)
    if shared in (one, other):
        return f"“{shared}” is agreed; in question is how narrow the label should be."
    return f"“{shared}” is agreed; only what is below it is in question."
