"""Items of two texts before a transformer: two segments with its own separator, of which neither is lost."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning import students
from learning.encoders import pair
from learning.encoders.apart import as_one, kept_apart, parted, together
from learning.storage import MANIFEST
from learning.students.finetune import Finetune
from learning.teachers.student import ReadyStudent, StudentTeacher
from learning.teachers.types import LabelText, TeacherItem, TeacherSchema
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models

__all__ = ["models"]

ABOUT = ("refund my money", "the parcel is late", "wrong password")
WORDS = ["the", "a", "my", "please", "today", "again", "soon", "now", "here", "there"]


def lesson(rows: int = 60, *, paired: bool = True) -> TrainingData:
    """The second text says what it is about; the first, of two lines, says something else."""
    rng = np.random.default_rng(3)
    group = np.arange(rows) % 3
    first = [f"{ABOUT[rng.integers(3)]}\n{' '.join(rng.choice(WORDS, 4))}" for _ in range(rows)]
    second = [f"{ABOUT[g]} {' '.join(rng.choice(WORDS, 3))}" for g in group]
    join = together if paired else pair
    texts = [join(one, other) for one, other in zip(first, second, strict=True)]
    return TrainingData(targets=np.eye(3, dtype=np.float32)[group], texts=texts, paired=paired)


@pytest.fixture
def tiny(models: Path) -> Finetune:
    return Finetune(model=str(models / "text"), epochs=12, batch=8, learning_rate=3e-3, tokens=48)


@pytest.fixture
def tokenizer(models: Path):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(str(models / "text"), local_files_only=True)


def fit(student: Finetune, data: TrainingData):
    return student.fit(data, np.random.default_rng(0), no_report)


def cut(tokenizer, text: str, longest: int, *, pairs: bool):
    from learning.students.classification import tokenised

    return tokenised(tokenizer, [text], longest, lambda: None, pairs=pairs)


class TestTokens:
    def test_two_texts_are_two_segments_with_separators_and_kinds(self, tokenizer) -> None:
        tokens = cut(tokenizer, together("a red kettle", "the kettle"), 20, pairs=True)
        assert tokenizer.convert_ids_to_tokens(tokens.ids[0]) == [
            *("[CLS]", "a", "red", "kettle", "[SEP]"),
            *("the", "kettle", "[SEP]"),
        ]
        assert tokens.kinds == [[0, 0, 0, 0, 0, 1, 1, 1]]
        swapped = cut(tokenizer, together("the kettle", "a red kettle"), 20, pairs=True)
        assert (swapped.ids, swapped.kinds) != (tokens.ids, tokens.kinds)

    def test_padding_is_of_the_first_kind_and_is_not_seen(self, tokenizer) -> None:
        from learning.students.classification import tokenised

        texts = [together("one", "two"), together("a longer one", "and two of it")]
        padded = tokenised(tokenizer, texts, 20, lambda: None, pairs=True).take([0, 1])
        assert padded["token_type_ids"].tolist()[0] == [0, 0, 0, 1, 1, *[0] * 5]
        assert padded["attention_mask"].tolist()[0] == [1, 1, 1, 1, 1, *[0] * 5]

    def test_the_longer_text_is_cut_first_and_both_stay(self, tokenizer) -> None:
        def lengths(first: int, second: int) -> tuple[int, int]:
            text = together("red " * first, "blue " * second)
            ids = cut(tokenizer, text, 19, pairs=True).ids[0]
            words = tokenizer.convert_ids_to_tokens(ids)
            assert len(words) <= 19
            return words.count("red"), words.count("blue")

        assert lengths(100, 3) == (13, 3)
        assert lengths(3, 100) == (3, 13)
        assert lengths(100, 100) == (8, 8)

    def test_typed_text_is_the_first_line_and_the_rest_and_a_lone_line_has_no_second(
        self, tokenizer
    ) -> None:
        typed = cut(tokenizer, "red kettle\nblue\nkettle", 20, pairs=True)
        assert typed == cut(tokenizer, together("red kettle", "blue\nkettle"), 20, pairs=True)
        alone = cut(tokenizer, "red kettle", 20, pairs=True)
        assert tokenizer.convert_ids_to_tokens(alone.ids[0]) == [
            *("[CLS]", "red", "kettle", "[SEP]"),
            "[SEP]",
        ]

    def test_who_reads_two_texts_as_one_reads_a_line_break_between_them(self, tokenizer) -> None:
        one, other = "red\nkettle", "blue kettle"
        assert as_one(kept_apart(one, other)) == pair(one, other)
        assert kept_apart(one, "") == one
        assert parted(kept_apart(one, other)) == (one, other)
        tokens = cut(tokenizer, kept_apart(one, other), 20, pairs=False)
        assert tokens == cut(tokenizer, pair(one, other), 20, pairs=False)
        assert tokens.kinds is None


class TestCrossEncoder:
    def test_learns_from_the_second_text_and_tells_which_it_is(self, tiny: Finetune) -> None:
        data = lesson()
        fitted = fit(tiny, data)
        assert (fitted.predict(data.texts).argmax(axis=1) == np.arange(60) % 3).mean() > 0.9
        asked = [together("now", ABOUT[0]), together(ABOUT[0], "now")]
        straight, swapped = fitted.predict(asked)
        assert np.abs(straight - swapped).max() > 0.1

    def test_survives_a_save_and_says_that_it_reads_pairs(
        self, tiny: Finetune, tmp_path: Path
    ) -> None:
        data = lesson(24)
        fitted = fit(replace(tiny, epochs=2), data)
        fitted.save(tmp_path)
        assert json.loads((tmp_path / MANIFEST).read_text())["pairs"] is True
        again = students.load(tmp_path)
        assert again.pairs
        np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))

    def test_one_of_single_texts_reads_no_segments(self, tiny: Finetune, tmp_path: Path) -> None:
        fitted = fit(replace(tiny, epochs=1), lesson(24, paired=False))
        fitted.save(tmp_path)
        assert json.loads((tmp_path / MANIFEST).read_text())["pairs"] is False
        assert not students.load(tmp_path).pairs

    def test_one_saved_before_reads_two_texts_as_one_as_it_learnt_to(
        self, tiny: Finetune, tmp_path: Path
    ) -> None:
        old = lesson(24, paired=False)
        fitted = fit(replace(tiny, epochs=2), old)
        fitted.save(tmp_path)
        manifest = json.loads((tmp_path / MANIFEST).read_text())
        del manifest["pairs"]
        (tmp_path / MANIFEST).write_text(json.dumps(manifest))
        again = students.load(tmp_path)
        said = again.predict(lesson(24).texts)
        np.testing.assert_array_equal(said, fitted.predict(old.texts))

    def test_a_fit_on_one_reading_does_not_go_on_from_a_checkpoint_of_the_other(self) -> None:
        from learning.students.classification import identity_of

        data = replace(lesson(6), texts=["a\nb"] * 6)
        told = {identity_of(Finetune(), replace(data, paired=paired), "w") for paired in (0, 1)}
        assert len(told) == 2

    def test_a_teacher_asks_it_about_the_texts_as_they_are_parted(self, tiny: Finetune) -> None:
        fitted = fit(tiny, lesson())
        names = ("Refund", "Parcel", "Password")
        asked = ReadyStudent(settings=StudentTeacher(), student=fitted, label_names=names)
        schema = TeacherSchema(
            labels=tuple(LabelText(id=at, name=name) for at, name in enumerate(names))
        )
        item = TeacherItem(number=1, text=f"{ABOUT[0]}\nnow", text_b=f"{ABOUT[1]} today")
        (answer,) = asked.annotate([item], schema, [], no_report)
        said = fitted.predict([together(item.text, item.text_b)])[0]
        np.testing.assert_allclose(answer.probabilities, said, atol=1e-6)
        assert np.abs(fitted.predict([item.whole])[0] - said).max() > 1e-3

    def test_a_model_without_kinds_of_tokens_is_not_given_any(
        self, tiny: Finetune, models: Path, tmp_path: Path
    ) -> None:
        import torch
        from transformers import AutoTokenizer, DistilBertConfig, DistilBertModel

        tokenizer = AutoTokenizer.from_pretrained(str(models / "text"), local_files_only=True)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            small = DistilBertConfig(
                vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=64
            )
            DistilBertModel(small).save_pretrained(tmp_path)
        tokenizer.save_pretrained(tmp_path)
        fitted = fit(replace(tiny, model=str(tmp_path), epochs=2), lesson(24))
        assert not fitted.network.tells_segments
        straight, swapped = fitted.predict([together("now", "here"), together("here", "now")])
        assert np.abs(straight - swapped).max() > 1e-6
