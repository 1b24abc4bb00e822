"""The model process over its socket, with an encoder that needs no weights and one that is slow."""

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np
import pytest

from annotator.errors import InvalidError
from annotator.formats.images import CleanImage, clean
from annotator.runtime import modelclient, modelserver, sockets
from learning import encoders
from learning.encoders import ENCODERS
from learning.encoders.minilm import MiniLM
from learning.spans import Span
from learning.students import STUDENTS
from learning.taggers.head import TokenHead
from learning.taggers.texts import tag_texts
from learning.taggers.types import Marked
from learning.types import TrainingData
from tests.contracts.plugins import three_colours

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
            modelclient.encode([], encoder="minilm")

    def test_without_a_model_process_it_says_so(self, short_folder, settings):
        settings.DATA_DIR = short_folder
        with pytest.raises(modelclient.ModelAwayError, match="not answering"):
            modelclient.encode(["a"], encoder="minilm")


class TestPredict:
    def test_gives_what_the_student_says_in_however_many_turns(
        self, served, fitted, short_folder, monkeypatch
    ):
        monkeypatch.setattr(modelclient, "TEXTS_A_TURN", 7)
        encoder, rng = encoders.load(fitted), np.random.default_rng(1)
        vectors = encoder.encode(TEXTS)
        lesson = TrainingData(
            targets=np.eye(3, dtype=np.float32)[np.arange(60) % 3], encodings=vectors
        )
        student = STUDENTS.create("head").fit(lesson, rng, lambda done, total: None)
        student.save(short_folder / "student")
        wish = {"student": "student", "encoder": "tfidf-svd", "folder": "encoder"}
        found = patiently(lambda: modelclient.predict(TEXTS, **wish))
        np.testing.assert_allclose(found, student.predict(vectors), atol=1e-5)

    def test_images_go_over_the_wire_and_get_what_the_student_says(self, served, short_folder):
        files = three_colours(60)[0]
        ready = ENCODERS.create("pixels-pca", {"colour": "rgb", "components": 8}).fit(files)
        ready.save(short_folder / "encoder")
        vectors = ready.encode(files)
        lesson = TrainingData(
            targets=np.eye(3, dtype=np.float32)[np.arange(60) % 3], encodings=vectors
        )
        student = STUDENTS.create("head").fit(
            lesson, np.random.default_rng(1), lambda done, total: None
        )
        student.save(short_folder / "student")
        wish = {"student": "student", "encoder": "pixels-pca", "folder": "encoder"}
        images = [clean(each, effort=1) for each in files]
        found = patiently(lambda: modelclient.predict(images, **wish))
        np.testing.assert_allclose(found, student.predict(vectors), atol=1e-5)
        with pytest.raises(InvalidError, match="encodes the bytes of image files"):
            modelclient.predict(["a text"], **wish)

    def test_an_image_as_large_as_one_may_be_goes_through(self, slow):
        large = CleanImage(b"x" * (32 << 20), "png", 5000, 5000)
        assert encode([large, large]).shape == (2, 4)
        assert [list(map(len, asked)) for asked in slow.asked] == [[32 << 20]] * 2


class TestMark:
    @pytest.fixture(scope="class")
    def marker(self):
        """A tagger, the reader of its words, and texts that it knows."""
        reader = MiniLM().fit().by_word()
        texts = [f"Please ask {name} now." for name in ("Ana Costa", "Ben", "Cleo") * 8]
        spans = [[Span(11, text.index(" now"), 0)] for text in texts]
        data = Marked(words=reader.encode(texts).words, spans=spans, labels=2)
        fitted = TokenHead().fit(data, np.random.default_rng(0), lambda done, total: None)
        return fitted, reader, texts

    @pytest.fixture
    def ask(self, served, short_folder, marker):
        marker[0].save(short_folder / "student")
        return lambda texts, **wish: patiently(
            lambda: modelclient.mark(texts, **{"student": "student", "encoder": "minilm"} | wish)
        )

    def test_gives_what_the_tagger_marks_in_however_many_turns(self, ask, marker, monkeypatch):
        monkeypatch.setattr(modelclient, "TEXTS_A_TURN", 7)
        fitted, reader, texts = marker
        given = [*texts, "", "👩‍🚀 please ask Ben now."]
        wanted = tag_texts(fitted, given, reader)
        found = ask(given)
        assert [each["spans"] for each in found] == [
            [[*span, pytest.approx(share, abs=1e-3)] for span, share in wanted.spans(text)]
            for text in range(wanted.texts)
        ]
        assert [each["present"] for each in found] == [
            pytest.approx(row, abs=1e-3) for row in wanted.present.tolist()
        ]
        assert [span[:3] for span in found[-1]["spans"]] == [[15, 18, 0]]

    def test_an_encoder_without_words_and_images_are_refused(self, ask, fitted, served):
        with pytest.raises(InvalidError, match="reads texts as a whole"):
            ask(["a"], encoder="tfidf-svd", folder="encoder")
        wish = {"do": "mark", "student": "student", "encoder": "minilm"}
        answer = served.answer({**wish, "images": ["aGk="]})
        assert answer == {"status": "refused", "detail": "texts must be a list of strings."}


class TestWire:
    @pytest.mark.parametrize(
        ("images", "told"), [(["%%%"], "in base64"), ([1], "a list of strings"), ([], "Between 1")]
    )
    def test_images_that_are_none_are_refused(self, served, short_folder, images, told):
        answer = served.answer({"do": "encode", "encoder": "minilm", "images": images})
        assert (answer["status"], told in answer["detail"]) == ("refused", True)

    def test_garbage_is_refused_and_the_next_line_answered(self, served, short_folder):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets.model(short_folder)))
            connection.sendall(b'nonsense\n[1]\n{"do": "ping"}\n')
            with connection.makefile() as stream:
                answers = [json.loads(stream.readline()) for _ in range(3)]
        assert [answer["status"] for answer in answers] == ["refused", "refused", "ok"]

    def test_a_line_that_is_too_long_is_refused_as_that(self, served, short_folder, monkeypatch):
        monkeypatch.setattr(modelserver, "LONGEST_REQUEST", 1_000)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(sockets.model(short_folder)))
            connection.sendall(b"x" * 1_000)
            with connection.makefile() as stream:
                answer = json.loads(stream.readline())
                assert stream.readline() == "", "what follows is the rest of the same line"
        assert "A question has up to" in answer["detail"]


class Model:
    """An encoder that takes its time: it waits for `go`, and notes what it was asked."""

    def __init__(self, seconds=0.0):
        self.seconds, self.asked = seconds, []
        self.go = threading.Event()
        self.go.set()

    def encode(self, texts):
        self.asked.append(list(texts))
        assert self.go.wait(30)
        time.sleep(self.seconds)
        return np.ones((len(texts), 4), dtype=np.float32)

    def is_asked(self, times=1):
        for _ in range(200):
            if len(self.asked) >= times:
                return True
            time.sleep(0.02)
        return False


@pytest.fixture
def slow(served, short_folder, monkeypatch):
    (short_folder / "encoder").mkdir()
    model = Model()
    monkeypatch.setattr(encoders, "load", lambda folder: model)
    return model


def encode(texts):
    return patiently(lambda: modelclient.encode(texts, encoder="any", folder="encoder"))


class TestMuchText:
    def test_letters_of_two_bytes_go_through_up_to_the_limits(self, slow):
        texts = ["ж" * 13_000] * 64
        assert encode(texts).shape == (64, 4)
        assert [text for asked in slow.asked for text in asked] == texts

    def test_what_json_escapes_and_half_a_letter_go_through(self, slow):
        texts = ["\x01" * 20_000, "\ud800", "\u2028 line\nline"]
        assert encode(texts).shape == (3, 4)
        assert [text for asked in slow.asked for text in asked] == texts

    def test_time_is_by_the_amount(self, slow, monkeypatch):
        monkeypatch.setattr(modelclient, "SECONDS_A_TURN", 0.5)
        slow.seconds = 0.2
        assert encode(["word " * 2_000] * 6).shape == (6, 4)
        assert len(slow.asked) == 6, "together they take longer than one is given"

    def test_one_long_text_has_time_by_its_length(self, slow, monkeypatch):
        monkeypatch.setattr(modelclient, "SECONDS_A_TURN", 0.5)
        slow.seconds = 1.0
        assert encode(["word " * 8_000]).shape == (1, 4)
        with pytest.raises(modelclient.ModelBusyError):
            encode(["word"])

    def test_others_get_their_turn_between(self, slow):
        slow.go.clear()
        with ThreadPoolExecutor(2) as pool:
            much = pool.submit(encode, ["word " * 2_000] * 5)
            assert slow.is_asked()
            one = pool.submit(encode, ["one"])
            time.sleep(0.3)
            slow.go.set()
            assert (len(one.result(30)), len(much.result(30))) == (1, 5)
        assert slow.asked.index(["one"]) <= 2

    def test_who_waits_too_long_is_told_that_the_model_is_busy(self, slow, monkeypatch):
        monkeypatch.setattr(modelclient, "SECONDS_A_TURN", 0.3)
        slow.go.clear()
        with pytest.raises(modelclient.ModelBusyError, match="busy"):
            encode(["one"])
        slow.go.set()

    @pytest.mark.parametrize(("short", "long", "waiting"), [(12, 0, 4), (0, 12, 2), (6, 6, 4)])
    def test_half_the_threads_of_a_web_process_stay_for_who_labels(
        self, slow, short, long, waiting
    ):
        encode(["loads the model"])
        slow.go.clear()
        with ThreadPoolExecutor(12) as pool:
            asks = [pool.submit(encode, ["word"] * 100) for _ in range(long)]
            asks += [pool.submit(encode, ["word"]) for _ in range(short)]
            told, left = wait(asks, timeout=4)
            slow.go.set()
            assert (len(told), len(left)) == (12 - waiting, waiting)
            assert all(isinstance(ask.exception(), modelclient.ModelBusyError) for ask in told)
            assert {len(ask.result()) for ask in left} <= {1, 100}
        assert encode(["word"] * 100).shape == (100, 4), "the places are free again"

    def test_long_answers_leave_places_for_short_ones(self, slow):
        encode(["loads the model"])
        slow.go.clear()
        with ThreadPoolExecutor(3) as pool:
            long = [pool.submit(encode, ["word"] * 100) for _ in range(3)]
            assert len(wait(long, timeout=4).done) == 1
            short = pool.submit(encode, ["word"])
            assert not wait([short], timeout=0.3).done
            slow.go.set()
            assert short.result().shape == (1, 4)

    def test_work_whose_client_left_is_dropped_without_a_traceback(self, slow, short_folder, capfd):
        slow.go.clear()
        wish = {"do": "encode", "folder": "encoder"}
        left = []
        for number in range(3):
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(str(sockets.model(short_folder)))
            connection.sendall(json.dumps({**wish, "texts": [str(number)]}).encode() + b"\n")
            left.append(connection)
            assert slow.is_asked()
        time.sleep(0.3)
        for connection in left:
            connection.close()
        slow.go.set()
        encode(["after"])
        assert slow.asked == [["0"], ["after"]]
        assert "Traceback" not in capfd.readouterr().err


class TestModels:
    def test_the_least_recently_used_goes_first(self):
        models = modelserver.Models(keep=2)
        loads = []
        for key in "aba" + "c" + "ab":
            models.get(key, lambda key=key: loads.append(key), wait_seconds=10)
        assert loads == ["a", "b", "c", "b"]
