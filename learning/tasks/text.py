"""Free text: an answer is a text that a person writes, or edits where the item gives one."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from learning.consensus import ConsensusMethod
from learning.consensus.skills import Skills
from learning.edits import apart, edits, plain
from learning.errors import ShapeError
from learning.selection import HEARD, MEASURED
from learning.tasks.columns import Columns
from learning.tasks.content import Content
from learning.tasks.values import Agreed, Given
from learning.tasks.wordless import Wordless
from learning.types import Votes
from learning.written import LONGEST, kept


@dataclass(frozen=True, kw_only=True)
class FreeText(Wordless):
    """A text, compared by the edits that make one of another as a share of the longer one. Source:
    Levenshtein 1966; the verdict is the median string of the set (Kohonen 1985).

    Where an item has two texts, the second is given to be edited, and the answer tells the edits.

    tie: voices whose texts are farther than this from the middle one, on average, do not decide.
    """

    shape: ClassVar[str] = "text"
    tracked: ClassVar[tuple[str, ...]] = ("edits",)
    item_kinds: ClassVar[frozenset[str]] = frozenset({"text", "pair", "image"})
    measure: ClassVar[str] = "edits"
    headline: ClassVar[str] = "similarity"
    teachers: ClassVar[tuple[str, ...]] = ("openai", "recorded")
    written: ClassVar[bool] = True
    weighed: ClassVar[bool] = False
    called: ClassVar[str] = "texts"
    strategies: ClassVar[tuple[str, ...]] = (*Wordless.strategies, *sorted(MEASURED | HEARD))

    tie: float = 0.3

    def read(self, value: object, content: Content, labels: Collection[int]) -> dict[str, Any]:
        """The canonical value: the text as it was written, and how many edits made it of the one given.

        Raises ShapeError for what is no text, an empty one, or one that is too long.
        """
        if not isinstance(value, dict) or not {"text"} <= set(value) <= {"text", "edits"}:
            raise ShapeError('An answer of a text is {"text": "…"} and nothing else.')
        text = kept(value["text"])
        if not content.text_b:
            return {"text": text}
        return {"text": text, "edits": edits(content.text_b[:LONGEST], text)}

    def spell(self, value: Any) -> str:
        """The text itself."""
        return str(value["text"])

    def unspell(self, words: str) -> dict[str, Any]:
        """A text is its own spelling."""
        return {"text": words}

    def distance(self, a: Any, b: Any, columns: Columns) -> float:
        """Edits as a share of the longer text."""
        return apart(a["text"], b["text"])

    def facets(self, value: Any) -> Mapping[str, str]:
        """The whole text."""
        return {"text": value["text"]}

    def facets_apart(self, a: str, b: str) -> float:
        """Edits as a share of the longer text."""
        return apart(a, b)

    def settle(
        self,
        method: ConsensusMethod,
        items: Sequence[Sequence[Given]],
        skills: Skills | None = None,
    ) -> list[Agreed]:
        """The text that is nearest to all others, by the voices' weights; the earlier of equals."""
        return [self._middle(given) for given in items]

    def _middle(self, given: Sequence[Given]) -> Agreed:
        texts = list(dict.fromkeys(one.value["text"] for one in given))
        weights = np.array(
            [sum(one.weight for one in given if one.value["text"] == text) for text in texts]
        )
        table = np.zeros((len(texts), len(texts)))
        for row, text in enumerate(texts):
            for column in range(row):
                table[row, column] = table[column, row] = apart(text, texts[column])
        far = table @ weights  # (texts,) edits from all that was said
        best = int(far.argmin())
        others = weights.sum() - weights[best]
        value = next(one.value for one in given if one.value["text"] == texts[best])
        tied = bool(others > 0 and far[best] / others > self.tie and weights[best] <= others)
        return Agreed(value=value, shares={}, tied=tied)

    def votes(
        self, items: Sequence[Sequence[Given]], truth: Sequence[Any | None] | None = None
    ) -> Votes:
        """Votes on each text that somebody wrote, "is it this one?"."""
        rows = []
        settled: list[bool] = []
        right: list[bool] = []
        for number, given in enumerate(items):
            sure = None if truth is None else truth[number]
            for text in dict.fromkeys(one.value["text"] for one in given):
                rows += [
                    (len(settled), one.annotator, one.value["text"] == text, one.weight)
                    for one in given
                ]
                settled.append(sure is not None)
                right.append(sure is not None and plain(sure["text"]) == plain(text))
        return Votes(
            items=len(settled),
            item=np.array([row[0] for row in rows], dtype=np.int64),
            annotator=np.array([row[1] for row in rows], dtype=np.int64),
            answers=np.array([[row[2]] for row in rows], dtype=np.float32).reshape(-1, 1),
            weights=np.array([row[3] for row in rows], dtype=np.float64),
            multi_label=True,
            truth=np.array(right, dtype=np.bool_).reshape(-1, 1),
            settled=np.array(settled, dtype=np.bool_),
        )

    def compare(self, truth: Sequence[Any], said: Sequence[Any]) -> dict[str, float]:
        """similarity, 1 minus the mean distance, and exact, the share of texts that are equal."""
        far = [apart(a["text"], b["text"]) for a, b in zip(truth, said, strict=True)]
        mean = float(np.mean(far)) if far else 0.0
        exact = float(np.mean([one == 0 for one in far])) if far else 0.0
        return {"n": float(len(far)), "similarity": 1 - mean, "exact": exact}
