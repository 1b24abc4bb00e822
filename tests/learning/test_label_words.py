"""Label words mined from the project's own texts."""

from dataclasses import replace

import numpy as np
import pytest

from learning.errors import NotEnoughDataError, ParameterError
from learning.metrics import macro_f1
from learning.teachers.asking import ask
from learning.teachers.label_words import LabelWords, terms
from learning.teachers.types import LabelText, Means, TeacherItem, TeacherSchema
from learning.teachers.zero_shot import ZeroShot

GROUPS = (
    ("fruit", ("apple", "pear", "plum", "cherry", "grape")),
    ("metal", ("iron", "copper", "zinc", "silver", "lead")),
    ("bird", ("robin", "crow", "owl", "finch", "heron")),
)
FILLER = ("green", "monday", "table", "street", "window", "paper", "river", "music", "letter")


class Planted:
    """An encoder that knows which words belong together, as a real one would."""

    dimensions = 32
    fingerprint = "planted"

    def __init__(self) -> None:
        rng = np.random.default_rng(5)
        self.vectors: dict[str, np.ndarray] = {}
        for name, words in GROUPS:
            centre = rng.normal(size=32)
            self.vectors[name] = centre + 1.3 * rng.normal(size=32)
            for word in words:
                self.vectors[word] = centre + 0.9 * rng.normal(size=32)
        for word in FILLER:
            self.vectors[word] = rng.normal(size=32)

    def encode(self, texts):
        rows = np.zeros((len(texts), 32), dtype=np.float32)
        for place, text in enumerate(texts):
            known = [self.vectors[word] for word in text.lower().split() if word in self.vectors]
            if known:
                rows[place] = np.sum(known, axis=0) / np.linalg.norm(np.sum(known, axis=0))
        return rows


def corpus(n: int = 300, seed: int = 0) -> tuple[list[str], np.ndarray]:
    """Texts of two words of one group and two fillers; the names themselves are rare."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size=n)
    texts = []
    for group in truth:
        name, words = GROUPS[group]
        own = rng.choice([name, *words], size=2, p=[0.1, *[0.18] * 5])
        texts.append(" ".join([*own, *rng.choice(FILLER, size=2)]))
    return texts, truth


def schema() -> TeacherSchema:
    labels = tuple(LabelText(id=n, name=name) for n, (name, _) in enumerate(GROUPS))
    return TeacherSchema(labels=labels)


def with_words(over: TeacherSchema, words: dict) -> TeacherSchema:
    labels = (replace(x, words=tuple(w.word for w in words[x.id])) for x in over.labels)
    return replace(over, labels=tuple(labels))


def test_most_of_what_is_offered_belongs_to_the_label() -> None:
    texts, _ = corpus()
    encoder = Planted()
    words = LabelWords(widest=0.5).propose(texts, encoder.encode(texts), schema(), encoder)
    offered = [(label, w.word) for label, found in words.items() for w in found]
    single = [(label, word) for label, word in offered if " " not in word]
    right = sum(word in GROUPS[label][1] for label, word in single)
    assert right >= 12, "of 15 planted"
    assert right / len(single) >= 0.8
    for found in words.values():
        assert all(w.similarity > 0.3 and w.lift > 1.5 and w.texts >= 4 for w in found)


def test_words_help_where_the_name_alone_does_not() -> None:
    texts, truth = corpus(seed=1)
    encoder = Planted()
    words = LabelWords(widest=0.5).propose(texts, encoder.encode(texts), schema(), encoder)
    teacher = ZeroShot(pool_weight=0.0).ready(Means(encoder=encoder))
    asked = [TeacherItem(number=n, text=text) for n, text in enumerate(texts)]
    scores = []
    for over in (schema(), with_words(schema(), words)):
        said = np.array([int(a.probabilities.argmax()) for a in ask(teacher, asked, over)])
        scores.append(macro_f1(truth, said, 3))
    assert scores[1] > scores[0] + 0.03


def test_a_term_that_speaks_for_two_labels_is_flagged() -> None:
    encoder = Planted()
    encoder.vectors["orchard"] = encoder.vectors["fruit"] + encoder.vectors["bird"]
    texts, truth = corpus()
    texts = [
        text + " orchard" if group in {0, 2} and n % 2 else text
        for n, (text, group) in enumerate(zip(texts, truth, strict=True))
    ]
    words = LabelWords(widest=0.9, lift=1.2).propose(
        texts, encoder.encode(texts), schema(), encoder
    )
    found = [
        (label, w.shared) for label, list_ in words.items() for w in list_ if w.word == "orchard"
    ]
    assert found in ([(0, ("bird",))], [(2, ("fruit",))])


def test_names_and_accepted_words_are_not_offered_again() -> None:
    texts, _ = corpus()
    encoder = Planted()
    encodings = encoder.encode(texts)
    finder = LabelWords(widest=0.5)
    first = finder.propose(texts, encodings, schema(), encoder)
    accepted = with_words(schema(), first)
    again = finder.propose(texts, encodings, accepted, encoder)
    for label in accepted.labels:
        offered = {w.word for w in again[label.id]}
        assert not offered & {label.name, *label.words}


def test_the_same_texts_give_the_same_words() -> None:
    texts, _ = corpus()
    encoder = Planted()
    one, two = (
        LabelWords().propose(texts, encoder.encode(texts), schema(), encoder) for _ in range(2)
    )
    assert one == two


def test_terms_neither_begin_nor_end_with_a_filler() -> None:
    assert list(terms("Is my money back, or not?")) == ["back", "money", "money back"]
    assert list(terms("money is back")) == ["back", "money", "money is back"]
    assert list(terms("of the 12 to")) == []


def test_refuses_too_few_texts_and_senseless_numbers() -> None:
    encoder = Planted()
    with pytest.raises(NotEnoughDataError, match="20 texts"):
        LabelWords().propose(["a"], encoder.encode(["a"]), schema(), encoder)
    with pytest.raises(ParameterError):
        LabelWords(per_label=0)
    empty = LabelWords().propose(["same"] * 30, encoder.encode(["same"] * 30), schema(), encoder)
    assert empty == {0: [], 1: [], 2: []}
