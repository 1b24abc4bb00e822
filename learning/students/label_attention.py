"""The student whose labels each read the words of a text that are like what they are called."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.bounds import Count, Scale, Tokens, refuse_outside
from learning.encoders.named import check_model
from learning.errors import ParameterError
from learning.students.finetune import BUILT_IN, refuse_without_texts
from learning.types import Report, TrainingData

if TYPE_CHECKING:
    from learning.students.transformer import FittedTransformer

PAIRS = 200_000  # texts times labels that are held at once, a vector for each
KEPT = 4  # answers about each label that are learnt from, however many there are in all
MOST_LABELS = int((PAIRS / KEPT) ** 0.5)


@dataclass(frozen=True, kw_only=True)
class LabelAttention:
    """A head in which each label reads a mean of its own over a text's tokens: the more a token is like what
    the label is called, the more it counts, and the encoder stays as it is. Source: Mullenbach et al. 2018
    (attention per label); Luo et al. 2024 (CrossTune, label texts as queries).

    model: "minilm" (built in), a folder, or a name on the hub; revision: a commit there.
    focus: how much likeness counts; 0 is the mean of all tokens, where the student is a head. None chooses
        it on held-out rows.
    most: texts learnt from, of more four of each label's and the others by chance; fewer where there are
        many labels. tokens: longer texts are cut.
    """

    needs: ClassVar[Literal["encodings", "texts", "images"]] = "texts"

    model: str = BUILT_IN
    revision: str | None = None
    focus: Scale | None = None
    most: Count = 4_000
    tokens: Tokens = 128

    def __post_init__(self) -> None:
        refuse_outside(self)
        check_model(self.model, self.tokens)

    def fit(
        self,
        data: TrainingData,
        rng: np.random.Generator,
        report: Report,
        start: Any = None,
        checkpoint: Path | None = None,
    ) -> "FittedTransformer":
        """Read the texts once, choose the focus, fit the labels' weights.

        Seconds, so that nothing is kept in `checkpoint`; an earlier student is not begun from. Refusals
        as with `Finetune.fit`, and ParameterError for more labels than it can learn some answers of.
        """
        refuse_without_texts(data)
        if data.labels > MOST_LABELS:
            raise ParameterError(
                f"Label attention is for up to {MOST_LABELS} labels, these are {data.labels:,}: "
                "train a dual encoder."
            )
        from learning.students.reading import fitted

        most = self._most(data.labels)
        if data.rows > most:
            data = data.subset(_drawn(data, most, rng))
        return fitted(self, data, rng, report)

    def unpaid(self, rows: int, labels: int) -> str:
        """With fewer than `KEPT` rows a label nothing chooses the focus, and from more than it learns of the
        head learns more.
        """
        if labels > MOST_LABELS:
            return f"It is for up to {MOST_LABELS} labels, and these are {labels:,}."
        if rows < KEPT * labels:
            return f"It pays from {KEPT} answers a label on, {KEPT * labels:,} in all."
        most = self._most(labels)
        if rows > most:
            return f"Of {labels:,} labels it learns from {most:,} answers, and the head from all {rows:,}."
        return ""

    def _most(self, labels: int) -> int:
        return max(1, min(self.most, PAIRS // max(labels, 1)))

    def settle(self, fitted: "FittedTransformer") -> "LabelAttention":
        """The same student with the focus that `fitted` chose."""
        return replace(self, focus=fitted.network.focus)

    @classmethod
    def load(cls, folder: Path) -> "FittedTransformer":
        """The student that `FittedTransformer.save` wrote into `folder`."""
        from learning.students.transformer import FittedTransformer

        return FittedTransformer.load(folder)


def _drawn(data: TrainingData, most: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows by chance, but `KEPT` that have each label come first, then as many that know of it."""
    order = rng.permutation(data.rows)
    rank = np.full(data.rows, 2)
    if data.known is not None:
        rank[_first_of_each(np.asarray(data.known)[order])] = 1
    rank[_first_of_each(np.asarray(data.targets)[order] > 0)] = 0
    return np.sort(order[np.argsort(rank, kind="stable")][:most])


def _first_of_each(table: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) bool: among the first `KEPT` of some column."""
    return np.asarray((table & (np.cumsum(table, axis=0) <= KEPT)).any(axis=1))
