"""Questions of a form that are answered with a text: reading them, and what several voices' texts amount to.

Of an answer its texts are `{key of the question: {"text": "…"}}`; a question without a text is left out.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from learning.consensus import ConsensusMethod
from learning.edits import apart
from learning.errors import ShapeError
from learning.tasks.content import Content
from learning.tasks.question import Question
from learning.tasks.text import FreeText
from learning.tasks.values import Given
from learning.types import Bools, Votes, require

TEXT = FreeText()
# What holds them in an answer's value.
TEXTS = "texts"
EMPTY = {"text": ""}
MOST_LETTERS = 100_000
REMEMBERED = 50_000  # distances of two texts, while figures of one project are found

Texts = dict[str, dict[str, Any]]


class Written(NamedTuple):
    """The text that answers a question, where an answer is compared by what it is made of."""

    key: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Middle:
    """What the voices that were asked a question wrote in the end.

    values: of each item its text, None where it is left empty; tied: (n,) bool.
    """

    values: list[dict[str, Any] | None]
    tied: Bools


def read(questions: Sequence[Question], given: object, content: Content) -> Texts:
    """The canonical texts, in the form's order. Raises ShapeError that names the question.

    given: by the question's key a text, or what is made of one here; blank is left out.
    """
    if not isinstance(given, dict):
        raise ShapeError('`texts` is an object: {"key of the question": "…"}.')
    if strange := set(given) - {one.key for one in questions}:
        raise ShapeError(f"“{str(min(strange, key=str))[:80]}” is no question that is written to.")
    found: Texts = {}
    for one in questions:
        if one.key in given and (read_one := _read(one, given[one.key], content)) is not None:
            found[one.key] = read_one
    letters = sum(len(one["text"]) for one in found.values())
    require(
        letters <= MOST_LETTERS,
        f"The texts of an answer have {MOST_LETTERS:,} characters at most together, not {letters:,}.",
    )
    return found


def _read(question: Question, given: object, content: Content) -> dict[str, Any] | None:
    value = {"text": given} if isinstance(given, str) else given
    words = value.get("text") if isinstance(value, dict) else None
    if given is None or (isinstance(words, str) and not words.replace("\x00", "").strip()):
        return None
    try:
        return TEXT.read(value, content if question.edits else Content(content.text), ())
    except ShapeError as refusal:
        raise ShapeError(f"“{question.name}”: {refusal}") from refusal


def parts(value: Mapping[str, Any] | None) -> list[Written]:
    """The texts of an answer's canonical value, each as one thing."""
    texts = (value or {}).get(TEXTS, {})
    return [Written(key, one["text"]) for key, one in sorted(texts.items())]


def agreed(method: ConsensusMethod, votes: Votes, spoke: Bools, question: Question) -> Middle:
    """The text that is nearest to all others, of the (v,) votes that `spoke` to the question.

    One that is left empty is a text of no letters.
    """
    said: dict[int, list[Given]] = {}
    texts = votes.texts or [{}] * len(votes.item)
    for vote in np.flatnonzero(spoke).tolist():
        given = Given(
            annotator=int(votes.annotator[vote]),
            value=texts[vote].get(question.key, EMPTY),
            weight=1.0 if votes.weights is None else float(votes.weights[vote]),
        )
        said.setdefault(int(votes.item[vote]), []).append(given)
    found = Middle(
        values=[None] * votes.items,
        tied=np.zeros(votes.items, dtype=np.bool_),
    )
    for item, one in zip(said, TEXT.settle(method, list(said.values())), strict=True):
        found.values[item] = one.value if one.value["text"] else None
        found.tied[item] = one.tied
    return found


def put(texts: Sequence[dict[str, Any]], question: Question, found: Middle, reached: Bools) -> None:
    """Put the verdict on a question among the texts of each of the items that lead to it."""
    for item in np.flatnonzero(reached).tolist():
        value = found.values[item]
        if value is not None:
            texts[item][question.key] = value


def remembering() -> Callable[[str, str], float]:
    """`apart`, which works out each two texts once, in whichever order they come: 0 equal … 1."""
    far = lru_cache(REMEMBERED)(apart)
    return lambda one, other: far(one, other) if one <= other else far(other, one)


@dataclass(frozen=True, kw_only=True)
class TextDistance:
    """The distance of two answers' texts to one question; none is a text of no letters."""

    key: str
    far: Callable[[str, str], float] = apart

    def __call__(self, a: Collection[Any], b: Collection[Any]) -> float:
        """Edits as a share of the longer text: 0 equal … 1 nothing in common."""
        return self.far(self._of(a), self._of(b))

    def is_told(self, *answers: Collection[Any]) -> bool:
        """Whether one of the answers has a text to it."""
        return any(self._of(each) for each in answers)

    def _of(self, given: Collection[Any]) -> str:
        own = (one.text for one in given if isinstance(one, Written) and one.key == self.key)
        return next(own, "")
