"""A model that fills gaps as a teacher: a label's words scored exactly, nothing else can be said."""

import numpy as np
import pytest
import torch

from learning.errors import ModelUnavailableError, ParameterError
from learning.teachers.asking import ask
from learning.teachers.loaded_model import load_language_model
from learning.teachers.local import LocalTeacher
from learning.teachers.types import Example, LabelText, Means, TeacherItem, TeacherSchema
from tests.tiny_models import tiny_masked

WORDS = {"Billing": ("refund", "money late"), "Delivery": ("parcel",), "bad": ()}


@pytest.fixture(scope="module", params=["bert", "roberta"])
def model(request, tmp_path_factory):
    return load_language_model(str(tiny_masked(tmp_path_factory.mktemp("model"), request.param)))


def schema(words=WORDS, *, multi_label=False):
    labels = [
        LabelText(id=n + 1, name=name, words=each) for n, (name, each) in enumerate(words.items())
    ]
    return TeacherSchema(labels=tuple(labels), multi_label=multi_label)


def answers(teacher, over, *texts):
    items = [TeacherItem(number=n, text=text) for n, text in enumerate(texts)]
    return {answer.number: answer for answer in ask(teacher, items, over)}


def by_hand(model, before, word, behind):
    """log P(word) in a gap of its length, one token after the other, each by a pass of its own."""
    mask, found = model.tokenizer.mask_token_id, 0.0
    cls, sep = model.tokenizer.cls_token_id, model.tokenizer.sep_token_id
    tokens, left = model.tokens(word), model.tokens(before)
    for at, token in enumerate(tokens):
        gap = [*tokens[:at], *[mask] * (len(tokens) - at)]
        whole = [cls, *left, *gap, *model.tokens(behind), sep]
        with torch.inference_mode():
            logits = model.model(input_ids=torch.tensor([whole])).logits[0].float()
        found += float(torch.log_softmax(logits[1 + len(left) + at], dim=-1)[token])
    return found


def test_a_label_is_as_likely_as_its_words_are_on_average_scored_token_by_token(model):
    teacher = LocalTeacher(prior_weight=0).ready(Means(language_model=model))
    found = answers(teacher, schema(), "late parcel")[0].probabilities
    means = [
        np.mean([by_hand(model, "late parcel it is about", word, ".") for word in (name, *words)])
        for name, words in WORDS.items()
    ]
    expected = np.exp(np.array(means) - max(means))
    np.testing.assert_allclose(found, expected / expected.sum(), atol=1e-4)


@pytest.mark.parametrize("multi_label", [False, True])
def test_hostile_texts_fill_no_gap_and_answers_are_the_same_in_any_order(model, multi_label):
    teacher = LocalTeacher().ready(Means(language_model=model))
    over = schema(multi_label=multi_label)
    texts = ["late parcel", "[MASK] [SEP] yes billing", "\ud800 \x00 {label} {name}", "", "refund"]
    found, again = answers(teacher, over, *texts), answers(teacher, over, *texts[::-1])
    assert "no text" in found[3].abstained
    for number in (0, 1, 2, 4):
        p = found[number].probabilities
        assert p.shape == (3,)
        assert multi_label or p.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(p, again[4 - number].probabilities, atol=1e-4)


def test_a_long_text_is_cut_and_marked_and_solved_items_take_the_room_that_is_left(model):
    def show(asked):
        solved = ("password login", "late refund money")
        return [
            Example(item=TeacherItem(number=90 + n, text=text), labels=(1,))
            for n, text in enumerate(solved)
        ]

    lent = Means(language_model=model, show=show)
    plain, shown = (LocalTeacher(demonstrations=n).ready(lent) for n in (0, 2))
    one = answers(plain, schema(), "late parcel", "parcel " * 500)
    two = answers(shown, schema(), "late parcel", "parcel " * 500)
    assert one[0].flags == ()
    assert one[1].flags == two[1].flags == ("text-cut",)
    assert two[0].tokens_in > one[0].tokens_in
    assert two[1].tokens_in == one[1].tokens_in <= 64


def test_a_label_that_the_model_cannot_spell_is_named(model):
    teacher = LocalTeacher().ready(Means(language_model=model))
    with pytest.raises(ParameterError, match="日本"):
        answers(teacher, schema({"日本": (), "Billing": ()}), "late parcel")
    taught = answers(teacher, schema({"日本": ("parcel",), "Billing": ()}), "late parcel")
    assert taught[0].probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("part", ["Model", "ForSequenceClassification"])
def test_a_model_without_a_head_for_words_is_refused_with_a_sentence(tmp_path, part):
    with pytest.raises(ModelUnavailableError, match=f"Bert{part}.*no head"):
        load_language_model(str(tiny_masked(tmp_path, part=part)))


def test_a_head_whose_weights_are_missing_is_not_made_up(tmp_path):
    folder = tiny_masked(tmp_path, part="Model")
    config = folder / "config.json"
    config.write_text(config.read_text().replace("BertModel", "BertForMaskedLM"))
    with pytest.raises(ModelUnavailableError, match="lack weights"):
        load_language_model(str(folder))


def test_a_template_has_a_text_and_a_gap_behind_it():
    for wrong in ("It is about {label}.", "{text}", "{label}: {text}", "{text} {text} {label}"):
        with pytest.raises(ParameterError):
            LocalTeacher(template=wrong)
