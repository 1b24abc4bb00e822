"""The teacher that is a language model of one's own: every label scored exactly, nothing written."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.teachers.asking import check_items
from learning.teachers.both_ways import as_shown, joined, turned
from learning.teachers.language_model import LanguageModel, MaskedModel
from learning.teachers.local_questions import (
    TEMPLATE,
    Continued,
    Gapped,
    Questions,
    check_template,
)
from learning.teachers.prompting import TEXT_LIMIT, Prompt, first_prompt
from learning.teachers.token_trie import label_distribution
from learning.teachers.types import (
    Example,
    Means,
    Show,
    TeacherAnswer,
    TeacherItem,
    TeacherSchema,
    confidence_of,
    needed,
)
from learning.types import Report

# Texts without content: what the model would answer to them says which names it favours anyway.
CONTENT_FREE = ("N/A", "", "[MASK]")


@dataclass(frozen=True, kw_only=True)
class LocalTeacher:
    """Score every label's name as the continuation of a prompt, by a causal language model on this
    machine, or its words in a gap of a template, by a masked one. Source: Cao et al. 2021 (names as
    paths of tokens, here all of them and no beam); Schick, Schütze 2021 (templates with a gap); Zhao
    et al. 2021 (contextual calibration).

    A label can be the only answer; what the model would write instead makes it abstain. Where several
    labels may hold it is asked about one after the other, yes or no.

    model: a folder, or a name on a hub; revision: a commit there. prior_weight: how much of what the
        model says to texts without content is taken off, 0 … 1. least_mass: the share of its belief
        that must lie on labels at all; below it abstains. instructions: the first paragraph of the
        prompt, "" for the usual one. text_limit: characters of a text that are read at most.
    demonstrations: solved items shown in a prompt, where the caller lends them.
    template: what a masked model reads where one label is right, with {text} and the gap {label}, ""
        for the usual one; it has no use for instructions.
    """

    needs: ClassVar[tuple[str, ...]] = ("language_model",)

    model: str = ""
    revision: str = ""
    prior_weight: float = 1.0
    least_mass: float = 0.0
    instructions: str = ""
    text_limit: int = TEXT_LIMIT
    demonstrations: int = 0
    template: str = ""

    def __post_init__(self) -> None:
        if not (0 <= self.prior_weight <= 1 and 0 <= self.least_mass < 1):
            raise ParameterError("The prior's weight and the least mass lie between 0 and 1.")
        if self.text_limit < 1 or not 0 <= self.demonstrations <= 50:
            raise ParameterError("A text has at least 1 character, a prompt 0 to 50 solved items.")
        check_template(self.template or TEMPLATE)

    def ready(self, means: Means) -> "ReadyLocal":
        """With the loaded model; raises NotEnoughDataError without one."""
        needed(means.language_model, "a loaded language model", "local")
        model = cast("LanguageModel | MaskedModel", means.language_model)
        return ReadyLocal(
            settings=self, model=model, show=means.show if self.demonstrations else None
        )

    @staticmethod
    def load(source: str, revision: str | None = None) -> LanguageModel | MaskedModel:
        """The model in a folder or of this name, to be lent; see `load_language_model`."""
        from learning.encoders.pooled import LOADING
        from learning.teachers.loaded_model import load_language_model

        with LOADING:
            return load_language_model(source, revision)

    def prompt(self, schema: TeacherSchema) -> Prompt:
        """What the model is told first."""
        first = first_prompt(schema)
        return Prompt(
            instructions=self.instructions.strip() or first.instructions,
            confidence=False,
            text_limit=self.text_limit,
        )


@dataclass(frozen=True, kw_only=True)
class ReadyLocal:
    """A loaded model. One item after the other: what prompts share is computed once and kept."""

    settings: LocalTeacher
    model: LanguageModel | MaskedModel
    show: Show | None = None
    _tables: dict[TeacherSchema, "_Table"] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def annotate(
        self,
        items: Sequence[TeacherItem],
        schema: TeacherSchema,
        examples: Sequence[Example],
        report: Report,
    ) -> Iterator[TeacherAnswer]:
        """In the order of the items; one without text, or longer than the model reads, abstains. Which of two
        texts is better is asked in both orders.
        """
        check_items(items)
        schema = as_shown(schema)
        for done, item in enumerate(items):
            report(done, len(items))
            began = time.perf_counter()
            shown = (*examples, *(self.show([item]) if self.show else ()))
            answer = self._answer(item, schema, shown, began)
            if schema.sides:
                again = self._answer(turned(item), schema, shown, time.perf_counter())
                answer = joined(answer, again, schema)
            yield answer
        report(len(items), len(items))

    def _answer(
        self, item: TeacherItem, schema: TeacherSchema, shown: Sequence[Example], began: float
    ) -> TeacherAnswer:
        def abstain(why: str, tokens: int = 0) -> TeacherAnswer:
            return TeacherAnswer(
                number=item.number,
                abstained=why,
                model=self.model.identity,
                tokens_in=tokens,
                seconds=time.perf_counter() - began,
            )

        if not item.whole.strip():
            return abstain("The item has no text that a language model could read.")
        table = self._table(schema)
        asked = table.questions.asked(item, shown)
        longest = max(asked, key=lambda question: question.tokens)
        if longest.tokens > longest.longest:
            return abstain(
                f"The prompt has {longest.tokens:,} tokens; {longest.longest:,} are read."
            )
        tokens = sum(question.tokens for question in asked)
        scores = [table.questions.scores(question) for question in asked]
        p, mass = table.chances(scores, table.prior(shown))
        if mass < self.settings.least_mass:
            return abstain(f"Only {100 * mass:.1f} % of the model's belief is on labels.", tokens)
        return TeacherAnswer(
            number=item.number,
            probabilities=p,
            confidence=confidence_of(p, multi_label=schema.multi_label),
            reason=_reason(p, schema),
            model=self.model.identity,
            tokens_in=tokens,
            seconds=time.perf_counter() - began,
            flags=("text-cut",) if longest.cut else (),
        )

    def _table(self, schema: TeacherSchema) -> "_Table":
        if schema not in self._tables:
            self._tables.clear()
            self._tables[schema] = _Table(self, schema)
        return self._tables[schema]


class _Table:
    """What is the same for all items: the questions, and what is likely without a text."""

    def __init__(self, ready: ReadyLocal, schema: TeacherSchema) -> None:
        self.ready, self.schema = ready, schema
        settings, model = ready.settings, ready.model
        self.questions: Questions
        if isinstance(model, MaskedModel):
            self.questions = Gapped(
                model, settings.template or TEMPLATE, settings.text_limit, schema
            )
        else:
            self.questions = Continued(model, settings.prompt(schema), schema)
        self._priors: dict[bool, NDArray[np.float64]] = {}

    def prior(self, shown: Sequence[Example]) -> NDArray[np.float64]:
        """(w,) mean log-likelihood of each word to texts without content, times its weight.

        Solved items change it, so it is measured with them where there are any: with those of the
        first item that had some.
        """
        key, weight = bool(shown), self.ready.settings.prior_weight
        if not weight:
            return np.zeros(())
        if key not in self._priors:
            blank = [TeacherItem(number=0, text=text) for text in CONTENT_FREE]
            # About the first label only: what “yes” and “no” are worth depends little on the label.
            asked = [self.questions.asked(item, shown)[0] for item in blank]
            self._priors[key] = np.mean([self.questions.scores(each) for each in asked], axis=0)
        return weight * self._priors[key]

    def chances(
        self, scores: Sequence[NDArray[np.float64]], prior: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], float]:
        """((k,) probabilities, how much of the model's belief lies on answers at all)."""
        mass = min(label_distribution(score)[1] for score in scores)
        # Nobody answers at random better than by what is likely without any text.
        told = [self.questions.answers(score - prior) for score in scores]
        read = [label_distribution(score - score.max())[0] for score in told]
        if not self.schema.multi_label:
            return read[0], mass
        return np.array([p[0] for p in read], dtype=np.float32), mass


def _reason(p: NDArray[np.float32], schema: TeacherSchema) -> str:
    order = np.argsort(-p, kind="stable")
    if schema.multi_label:
        named = [schema.names[column] for column in order if p[column] > 0.5]
        return f"the model says yes to {', '.join(named)}" if named else "the model says no to all"
    return f"the model gives {schema.names[order[0]]} {100 * p[order[0]]:.0f} %"
