"""What every encoder promises."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from learning import encoders
from learning.encoders import ENCODERS
from learning.errors import LearningError
from tests.contracts.plugins import example_parameters, three_topics

every = pytest.mark.parametrize("name", ENCODERS)
# Where a last bit may round a whole number up or down, the batch that a text is in shows a little.
ROUNDED = ("minilm-int8",)


def sample(name: str) -> list:
    if ENCODERS[name].modality == "text":
        return three_topics(30)[0]
    rng = np.random.default_rng(0)
    return [png(rng.integers(0, 255, size=(12 + i % 5, 10, 3))) for i in range(12)]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture
def make(models: Path):
    return lambda name: ENCODERS.create(name, example_parameters(name, models)).fit(sample(name))


@every
def test_gives_unit_rows_in_order(name: str, make) -> None:
    ready, items = make(name), sample(name)
    vectors = ready.encode(items)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(items), ready.dimensions)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    alone = np.concatenate([ready.encode([item]) for item in items])
    if name in ROUNDED:
        assert (vectors * alone).sum(axis=1).min() > 0.99
    else:
        np.testing.assert_allclose(vectors, alone, atol=1e-4)


@every
def test_same_sample_same_vectors_and_fingerprint(name: str, make) -> None:
    one, two = make(name), make(name)
    assert one.fingerprint == two.fingerprint
    assert one.fingerprint.isalnum()
    np.testing.assert_array_equal(one.encode(sample(name)), two.encode(sample(name)))


@every
def test_comes_back_from_disk_the_same(name: str, make, tmp_path: Path) -> None:
    ready = make(name)
    ready.save(tmp_path)
    again = encoders.load(tmp_path)
    assert again.fingerprint == ready.fingerprint
    np.testing.assert_array_equal(again.encode(sample(name)), ready.encode(sample(name)))


@every
def test_encodes_nothing(name: str, make) -> None:
    ready = make(name)
    assert ready.encode([]).shape == (0, ready.dimensions)


@every
def test_refuses_items_of_the_other_kind(name: str, make) -> None:
    wrong = [b"\x00\x01"] if ENCODERS[name].modality == "text" else ["a text"]
    with pytest.raises(LearningError):
        make(name).encode(wrong)


@every
def test_copes_with_odd_items(name: str, make) -> None:
    odd = ["", " ", "\x00", "🦊 ünï", "x" * 20_000, "[SEP] [CLS]"]
    if ENCODERS[name].modality == "image":
        odd = [png(np.zeros((1, 1, 3))), png(np.full((200, 3, 4), 128)), png(np.zeros((5, 5)))]
    vectors = make(name).encode(odd)
    assert np.isfinite(vectors).all()
    assert (np.linalg.norm(vectors, axis=1) < 1.001).all()
