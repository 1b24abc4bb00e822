"""Answers of teachers that are texts: recorded ones, and what is none."""

import numpy as np
import pytest

from learning.errors import ShapeError
from learning.teachers import TEACHERS
from learning.teachers.asking import ask
from learning.teachers.types import Means, TeacherAnswer, TeacherItem, TeacherSchema

SCHEMA = TeacherSchema(labels=(), multi_label=True, written=True)


def test_recorded_texts_come_back_and_what_is_none_abstains() -> None:
    texts = ["A cat.\r\n", None, " ", 7, "x" * 20_001]
    records = [{"number": n, "text": text, "confidence": 0.7} for n, text in enumerate(texts)]
    teacher = TEACHERS.create("recorded").ready(Means(records=records))
    items = [TeacherItem(number=n, text="?") for n in range(6)]
    found = {one.number: one for one in ask(teacher, items, SCHEMA)}
    assert (found[0].text, found[0].confidence) == ("A cat.\n", 0.7)
    assert all(found[n].abstained and found[n].text is None for n in range(1, 6))
    assert "20,000 characters" in found[4].abstained


def test_an_answer_without_its_text_is_found_out() -> None:
    class Mute:
        def annotate(self, items, schema, examples, report):
            yield TeacherAnswer(number=1, probabilities=np.zeros(0, dtype=np.float32))

    with pytest.raises(ShapeError, match="has a text where"):
        list(ask(Mute(), [TeacherItem(number=1, text="?")], SCHEMA))
    with pytest.raises(ShapeError, match="no order and no text"):
        TeacherAnswer(number=1, abstained="No.", text="Yes.")
    with pytest.raises(ShapeError, match="no labels"):
        TeacherSchema(labels=(), written=True)
