"""A question of a form: what an answer to it may be, and after which answers it is asked."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question, with labels of its own.

    key: its name in files; name: in words; kind: the task type of its answers, one whose answers are
    labels and no questions themselves.
    labels: ids of all its labels, archived ones too, and columns: the column of each.
    live: those that may be given now.
    after: ids of labels of one earlier question; it is asked where one of them is given. Empty: always.
    """

    key: str
    name: str
    kind: str
    labels: tuple[int, ...] = ()
    columns: tuple[int, ...] = ()
    live: frozenset[int] = frozenset()
    after: tuple[int, ...] = ()
