"""The model process over its socket, with an encoder that needs no weights and one that is slow."""

import json
import socket
import threading
from pathlib import Path

import numpy as np
import pytest

from annotator.errors import InvalidError
from annotator.runtime import modelclient, modelserver, sockets
from learning import encoders
from learning.encoders import ENCODERS

TEXTS = [f"word{n % 7} other{n % 5} more{n % 3}" for n in range(60)]


@pytest.fixture
def served(short_folder, settings):
    settings.DATA_DIR = short_folder
    answerer = modelserver.Answerer(short_folder)
    with modelserver.Server(sockets.model(short_folder), answerer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield answerer
        server.shutdown()
        thread.join()


@pytest.fixture
def fitted(short_folder) -> Path:
    ready = ENCODERS.create("tfidf-svd", {"components": 4}).fit(TEXTS)
    ready.save(short_folder / "encoder")
    return short_folder / "encoder"


def patiently(ask):
    """Ask again while the model starts, as a page does."""
    for _ in range(100):
        try:
            return ask()
        except modelclient.ModelStartingError:
            continue
    raise AssertionError("the model never became ready")


class TestEncode:
    def test_gives_the_encoders_own_vectors(self, served, fitted):
        found = patiently(
            lambda: modelclient.encode(TEXTS[:3], encoder="tfidf-svd", folder="encoder")
        )
        wanted = encoders.load(fitted).encode(TEXTS[:3])
        np.testing.assert_allclose(found, wanted, atol=1e-6)

    def test_says_that_it_starts_and_answers_once_it_has(self, served, fitted, monkeypatch):
        go = threading.Event()
        load = encoders.load
        monkeypatch.setattr(encoders, "load", lambda folder: go.wait(30) and load(folder))
        with pytest.raises(modelclient.ModelStartingError):
            modelclient.encode(TEXTS[:1], encoder="tfidf-svd", folder="encoder")
        go.set()
        assert patiently(
            lambda: modelclient.encode(TEXTS[:1], encoder="tfidf-svd", folder="encoder")
        ).shape == (1, 4)

    def test_a_model_that_cannot_be_loaded_says_why_and_may_be_tried_again(self, served, fitted):
        manifest = fitted / "manifest.json"
        content = manifest.read_bytes()
        manifest.unlink()
        with pytest.raises(InvalidError, match="missing"):
            patiently(lambda: modelclient.encode(["a"], encoder="tfidf-svd", folder="encoder"))
        manifest.write_bytes(content)
        assert patiently(
            lambda: modelclient.encode(["word1"], encoder="tfidf-svd", folder="encoder")
        ).shape == (1, 4)

    @pytest.mark.parametrize("folder", ["../outside", "/etc", "nowhere"])
    def test_nothing_outside_the_data_folder_is_read(self, served, folder):
        with pytest.raises(InvalidError, match="no such model"):
            modelclient.encode(["a"], encoder="tfidf-svd", folder=folder)

    def test_unknown_encoders_parameters_and_sizes_are_refused(self, served):
        with pytest.raises(InvalidError, match="nonesuch"):
            modelclient.encode(["a"], encoder="nonesuch")
        with pytest.raises(InvalidError, match="Between 1 and"):
            modelclient.encode(["a"] * 1000, encoder="minilm")

    def test_without_a_model_process_it_says_so(self, short_folder, settings):
        settings.DATA_DIR = short_folder
        with pytest.raises(modelclient.ModelAwayError, match="not answering"):
            modelclient.encode(["a"], encoder="minilm")


class TestWire:
    def test_garbage_is_refused_and_the_next_line_answered(self, served, short_folder):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets.model(short_folder)))
            connection.sendall(b'nonsense\n[1]\n{"do": "ping"}\n')
            with connection.makefile() as stream:
                answers = [json.loads(stream.readline()) for _ in range(3)]
        assert [answer["status"] for answer in answers] == ["refused", "refused", "ok"]


class TestModels:
    def test_the_least_recently_used_goes_first(self):
        models = modelserver.Models(keep=2)
        loads = []
        for key in "aba" + "c" + "ab":
            models.get(key, lambda key=key: loads.append(key), wait_seconds=10)
        assert loads == ["a", "b", "c", "b"]
