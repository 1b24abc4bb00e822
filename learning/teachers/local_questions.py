"""How the teacher `local` puts an item to its model, by the model's kind: as a prompt that a label's
name goes on with, or as a text with a gap that a label's words fill.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from learning.errors import ParameterError
from learning.teachers.language_model import LanguageModel, MaskedModel
from learning.teachers.names import readable
from learning.teachers.prompting import Prompt, labelling_parts
from learning.teachers.token_trie import Tokens, TokenTrie, label_log_likelihoods
from learning.teachers.types import Example, TeacherItem, TeacherSchema

YES, NO = "yes", "no"
TEXT, LABEL, NAME = "{text}", "{label}", "{name}"
TEMPLATE = "{text} It is about {label}."
MULTI_TEMPLATE = "{text} Is it about {name}? {label}."


@dataclass(frozen=True, kw_only=True)
class Question:
    """tokens: how many are read; longest: of how many at most; cut: a text was cut to fit."""

    left: list[int]
    right: list[int]
    tokens: int
    longest: int
    cut: bool = False


class Questions(Protocol):
    """The questions of one schema.

    Where several labels may hold there is one question for each, answered yes or no.
    """

    def asked(self, item: TeacherItem, shown: Sequence[Example]) -> list[Question]:
        """One, or one for each label where several may hold."""
        ...

    def scores(self, question: Question) -> NDArray[np.float64]:
        """(w,) log-likelihood of each word that may be said."""
        ...

    def answers(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """(w,) of words -> (a,) of answers: labels in their order, or yes and no."""
        ...


class Continued:
    """A causal model: the prompt ends where the label's name would begin."""

    def __init__(self, model: LanguageModel, prompt: Prompt, schema: TeacherSchema) -> None:
        self.model, self.prompt, self.schema = model, prompt, schema
        said = (YES, NO) if schema.multi_label else schema.names
        words = [readable(name) for name in said]
        self.trie = TokenTrie.of(model.answers(words), model.end)

    def asked(self, item: TeacherItem, shown: Sequence[Example]) -> list[Question]:
        """Prompts that begin alike, so that what they share is read once."""
        system, user = labelling_parts(self.prompt, self.schema, item, shown)
        if not self.schema.multi_label:
            return [self._question(system, f"{user}\n\nThe label's name:")]
        return [
            self._question(
                system, f"{user}\n\nDoes the label “{readable(name)}” fit it? Answer yes or no:"
            )
            for name in self.schema.names
        ]

    def _question(self, system: str, user: str) -> Question:
        left = self.model.prompt(system, user)
        longest = self.model.longest - self.trie.depth
        return Question(left=left, right=[], tokens=len(left), longest=longest)

    def scores(self, question: Question) -> NDArray[np.float64]:
        """Each answer's tokens and the end behind them."""
        return label_log_likelihoods(self.trie, self.model.after(question.left))

    def answers(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """As they are: an answer has one word, its name."""
        return scores


class Gapped:
    """A masked model: a template with a gap. A label is as likely as its words are on average, its
    name and those that a lead accepted (Schick, Schütze 2021; Hu et al. 2022).

    A text that is too long is cut at its end; solved items stand before it where there is room,
    the last one being the most like it.
    """

    def __init__(
        self, model: MaskedModel, template: str, text_limit: int, schema: TeacherSchema
    ) -> None:
        self.model, self.schema, self.limit = model, schema, text_limit
        self.template = MULTI_TEMPLATE if schema.multi_label else template
        self.words, self.columns = self._spelled()
        self.room = model.longest - max(len(word) for word in self.words)

    def _spelled(self) -> tuple[list[Tokens], NDArray[np.int64]]:
        """The words that may stand in the gap, and the answer that each is for."""
        if self.schema.multi_label:
            said = [[YES], [NO]]
        else:
            said = [[readable(one.name), *one.words] for one in self.schema.labels]
        words: list[Tokens] = []
        columns: list[int] = []
        for column, names in enumerate(said):
            spelled = [word for word in dict.fromkeys(self.model.words(names)) if word]
            if not spelled:
                raise ParameterError(
                    f"The model has no tokens for “{names[0]}”. Give this label words that the "
                    "model knows, under Settings → Labels → Label words."
                )
            words += spelled
            columns += [column] * len(spelled)
        return words, np.array(columns)

    def asked(self, item: TeacherItem, shown: Sequence[Example]) -> list[Question]:
        """One text with a gap, or one for each label with a question about it."""
        names = self.schema.names if self.schema.multi_label else ("",)
        return [self._question(item, shown, readable(name)) for name in names]

    def _question(self, item: TeacherItem, shown: Sequence[Example], name: str) -> Question:
        before, after, right = self._parts(name)
        text = self.model.tokens(item.whole[: self.limit])
        room = max(self.room - len(before) - len(after) - len(right), 0)
        kept = text[:room]
        solved = self._solved(shown, name, room - len(kept))
        left = [*solved, *before, *kept, *after]
        return Question(
            left=left,
            right=right,
            tokens=len(left) + len(right),
            longest=self.room,
            cut=len(kept) < len(text) or len(item.whole) > self.limit,
        )

    def _parts(self, name: str) -> tuple[list[int], list[int], list[int]]:
        """The template's tokens before the text, between text and gap, and behind the gap."""
        before, rest = self.template.split(TEXT)
        after, right = rest.split(LABEL)
        if self.schema.multi_label:
            after = after.replace(NAME, name)
        parts = (before, after.rstrip(), right)
        one, two, three = (self.model.tokens(part) for part in parts)
        return one, two, three

    def _solved(self, shown: Sequence[Example], name: str, room: int) -> list[int]:
        """Solved items with their gaps filled, the last ones where not all have room."""
        found: list[int] = []
        for example in reversed(shown):
            columns = [self.schema.column(label) for label in example.labels]
            names = [readable(self.schema.names[c]) for c in columns if c is not None]
            if self.schema.multi_label:
                said = YES if name in names else NO
            elif names:
                said = names[0]
            else:
                continue
            before, after, right = self._parts(name)
            text = self.model.tokens(example.item.whole[: self.limit])
            fill = self.model.tokens(f" {said}")
            one = [*before, *text, *after, *fill, *right]
            if len(found) + len(one) > room:
                break
            found = [*one, *found]
        return found

    def scores(self, question: Question) -> NDArray[np.float64]:
        """Of every word of every answer."""
        return np.asarray(
            self.model.filled(question.left, question.right, self.words), dtype=np.float64
        )

    def answers(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The mean over an answer's words, in logarithms."""
        return np.bincount(self.columns, weights=scores) / np.bincount(self.columns)


def check_template(template: str) -> None:
    """Raise ParameterError for one without a text and, behind it, a gap, each once."""
    whole = template.count(TEXT) == 1 and template.count(LABEL) == 1
    if not whole or template.index(TEXT) > template.index(LABEL):
        raise ParameterError(
            f"A sentence with a gap has {TEXT} once and behind it {LABEL} once, as in “{TEMPLATE}”"
        )
