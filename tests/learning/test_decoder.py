"""Causal language models that classify: masks, pooling, and what is trained and kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learning import students
from learning.errors import DamagedFileError, ParameterError, ShapeError
from learning.storage import MANIFEST, read_json
from learning.students.classification import pad
from learning.students.decoder import DecoderClassifier, last_token, load_decoder, mean_token
from learning.students.decoder_lora import DecoderLora
from learning.types import no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import lesson
from tests.tiny_models import tiny_causal

__all__ = ["models"]

SHORT, LONG = [5, 9, 12], [7, 7, 30, 41, 2, 19, 60, 33]


def network(models: Path, direction: str, pooling: str, attention: str = "sdpa"):
    decoder, _, _ = load_decoder(str(models / "causal"), None, 128)
    decoder.set_attn_implementation(attention)
    made = DecoderClassifier(decoder, 4, direction, pooling).eval()
    torch.manual_seed(2)
    torch.nn.init.normal_(made.head.weight)
    return made


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("pooling", ["last", "mean"])
@pytest.mark.parametrize("direction", ["causal", "both"])
def test_a_text_means_the_same_alone_and_in_a_padded_batch(
    models: Path, direction: str, pooling: str, attention: str
) -> None:
    made = network(models, direction, pooling, attention)
    with torch.inference_mode():
        together = made(pad([SHORT, LONG], 0))
        other = made(pad([SHORT, LONG], 99))
        alone = torch.cat([made(pad([SHORT], 0)), made(pad([LONG], 0))])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)
    torch.testing.assert_close(together, other, atol=1e-4, rtol=0)
    assert together.std() > 0.1, "the texts differ at all"


def test_only_reading_both_ways_lets_the_first_token_see_the_last(models: Path) -> None:
    one, two = pad([LONG], 0), pad([[*LONG[:-1], 50]], 0)
    for direction, sees in (("causal", False), ("both", True)):
        made = network(models, direction, "mean")
        with torch.inference_mode():
            first = [made.states(text)[0, 0] for text in (one, two)]
        assert torch.allclose(*first, atol=1e-6) is not sees


def test_pooling_leaves_padding_out_on_either_side() -> None:
    hidden = torch.arange(10.0).reshape(2, 5, 1)
    mask = torch.tensor([[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]])
    assert last_token(hidden, mask).tolist() == [[2.0], [9.0]]
    assert mean_token(hidden, mask).tolist() == [[1.0], [8.0]]


@pytest.mark.parametrize(("direction", "pooling"), [("causal", "last"), ("both", "mean")])
def test_the_cost_falls_on_a_hundred_items(models: Path, direction: str, pooling: str) -> None:
    student = DecoderLora(
        model=str(models / "causal"),
        direction=direction,
        pooling=pooling,
        epochs=3,
        batch=10,
        learning_rate=1e-2,
        head_rate=1e-2,
    )
    data = lesson(100)
    fitted = student.fit(data, np.random.default_rng(0), no_report)
    assert fitted.margins.shape == (3, 100)
    assert fitted.margins[0].mean() < 0.5 < 2 < fitted.margins[2].mean()
    assert (fitted.predict(data.texts).argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.95


def test_only_adapters_and_head_are_trained_and_kept(tmp_path: Path) -> None:
    model = tiny_causal(tmp_path / "model")
    student = DecoderLora(model=str(model), epochs=1, learning_rate=1e-2)
    fitted = student.fit(lesson(), np.random.default_rng(0), no_report)
    untouched, _, _ = load_decoder(str(model), None, 128)
    frozen = {n.replace(".base.", "."): v for n, v in fitted.network.decoder.state_dict().items()}
    for name, value in untouched.state_dict().items():
        assert torch.equal(frozen[name], value), name
    fitted.save(tmp_path / "student")
    assert sorted(path.name for path in (tmp_path / "student").iterdir()) == [
        "arrays.safetensors",
        MANIFEST,
    ]
    assert read_json(tmp_path / "student" / MANIFEST)["parameters"]["rank"] == 12
    tiny_causal(model, seed=1)
    with pytest.raises(DamagedFileError, match="other weights than those the student"):
        students.load(tmp_path / "student")


def test_refuses_no_model_no_texts_and_bad_parameters(models: Path) -> None:
    student = DecoderLora(model=str(models / "causal"))
    with pytest.raises(ShapeError, match="texts"):
        student.fit(replace(lesson(), texts=None), np.random.default_rng(0), no_report)
    with pytest.raises(ParameterError, match="name of a causal language model"):
        DecoderLora()
    for wrong in ({"epochs": 0}, {"alpha": 0.0}, {"warmup": 1.0}, {"dropout": 1.0}):
        with pytest.raises(ParameterError):
            replace(student, **wrong)
