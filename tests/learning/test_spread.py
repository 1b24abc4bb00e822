"""One fit over several processes: real ones, which meet over gloo on the CPU."""

import io
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from learning.errors import CompanionError, OutOfMemoryError, ParameterError
from learning.spans.scores import metrics
from learning.students import STUDENTS, companion, spread
from learning.taggers import TAGGERS
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import example_parameters, lesson
from tests.contracts.test_taggers import lesson as marked

__all__ = ["models"]

LEADER = """
import os, signal, sys
import numpy as np
import psutil
from learning.students.finetune import Finetune
from tests.contracts.plugins import lesson
def report(done, total):
    if done == 3:
        print(*[each.pid for each in psutil.Process().children()], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
Finetune(model=sys.argv[1], epochs=3, batch=8).fit(lesson(), np.random.default_rng(7), report)
"""


@pytest.fixture(autouse=True)
def left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whatever a test did, no folder and no process of it is left."""
    rooms = tmp_path / "rooms"
    rooms.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rooms))
    before = set(psutil.Process().children(recursive=True))
    yield
    assert not list(rooms.iterdir())
    assert not set(psutil.Process().children(recursive=True)) - before


@pytest.fixture
def by(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    return lambda count: monkeypatch.setenv(spread.COUNT, str(count))


def companions() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [each for each in found if companion.__name__ in each.cmdline()]


def few_steps(name: str, models: Path, **parameters: object):
    """A student without dropout, and rates at which rounding stays what it is."""
    given = example_parameters(name, models) | {"epochs": 2, "batch": 6, "learning_rate": 1e-3}
    return STUDENTS.create(name, given | parameters)


def test_each_gpu_has_a_process_and_a_cpu_one_unless_more_are_asked_for(by, monkeypatch) -> None:
    import torch

    assert spread.processes() == 1
    by(3)
    assert spread.processes() == 3
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert spread.processes() == 2, "one that has no GPU would be in the way"
    by(1)
    assert spread.processes() == 1
    monkeypatch.delenv(spread.COUNT)
    assert spread.processes() == 2
    for wrong in ("0", "two", "-1"):
        monkeypatch.setenv(spread.COUNT, wrong)
        with pytest.raises(ParameterError, match=f"{wrong} is not a whole number above 0"):
            spread.processes()


@pytest.mark.parametrize("multi_label", [False, True])
def test_a_companion_is_told_the_whole_lesson(models: Path, multi_label: bool) -> None:
    from learning.students.classification import identity_of

    plan = few_steps("prompt", models)
    data = replace(
        lesson(12, multi_label=multi_label),
        weights=np.linspace(1, 2, 12, dtype=np.float16),
        known=np.ones((12, lesson().labels), dtype=bool),
        label_texts=("Refund", "", "Login\ud800", "")[: lesson().labels],
        images=None,
        paired=True,
    )
    stream = io.BytesIO()
    companion.tell(stream, plan, data, Path("kept"))
    stream.seek(0)
    told, heard, checkpoint = companion.hear(stream)
    assert (told, checkpoint) == (plan, Path.cwd() / "kept")
    assert identity_of(told, heard, "") == identity_of(plan, data, "")
    for each in fields(TrainingData):
        if each.name not in companion.UNREAD:
            np.testing.assert_array_equal(getattr(heard, each.name), getattr(data, each.name))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "count"), [("prompt", 3), ("dual-encoder", 2)])
def test_several_come_to_what_one_does_alone(name: str, count: int, models: Path, by) -> None:
    """25 rows in batches of 6: the last one is a single row, on which all but one process wait."""
    data = lesson(25)
    alone = few_steps(name, still(models)).fit(data, np.random.default_rng(7), no_report)
    by(count)
    told: list[tuple[int, int]] = []
    together = few_steps(name, still(models)).fit(
        data, np.random.default_rng(7), lambda *at: told.append(at)
    )
    assert told[-1] == (10, 10)
    np.testing.assert_allclose(
        together.predict(data.texts), alone.predict(data.texts), atol=1e-5, rtol=0
    )
    np.testing.assert_allclose(together.margins, alone.margins, atol=1e-4, rtol=0)
    assert np.isfinite(together.margins).all()


def still(models: Path) -> Path:
    """The same models with an encoder that drops nothing."""
    from transformers import AutoModel, AutoTokenizer

    folder = models / "still"
    if not folder.exists():
        off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
        AutoModel.from_pretrained(models / "text", **off).save_pretrained(folder / "text")
        AutoTokenizer.from_pretrained(models / "text").save_pretrained(folder / "text")
        (folder / "causal").symlink_to(models / "causal")
    return folder


@pytest.mark.slow
def test_a_tagger_learns_on_two(models: Path, by) -> None:
    by(2)
    tagger = TAGGERS.create("token-finetune", example_parameters("token-finetune", models))
    fitted = tagger.fit(marked(60), np.random.default_rng(0), no_report)
    asked = marked(20, seed=1)
    said = fitted.tag(asked.words, asked.texts)
    told = [[span for span, _ in said.spans(at)] for at in range(20)]
    assert metrics(asked.spans, told)["span_f1"] > 0.9


@pytest.mark.slow
def test_what_a_cancel_ended_goes_on_to_the_weights_of_an_undisturbed_fit(
    models: Path, by, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(done: int, total: int) -> None:
        if done == 9:
            assert len(companions()) == 1
            raise InterruptedError

    by(2)
    student = few_steps("finetune", models, checkpoint_steps=4, batch=8)
    fit, kept = student.fit, tmp_path / "kept"
    expected = fit(lesson(), np.random.default_rng(7), no_report)
    with pytest.raises(InterruptedError):
        fit(lesson(), np.random.default_rng(7), stop, None, kept)
    assert not companions()
    assert "ended" not in capfd.readouterr().err, "a cancel is nobody's fault"
    assert sorted(each.name for each in kept.iterdir())[1] == "state-8.safetensors"
    told: list[int] = []
    resumed = fit(lesson(), np.random.default_rng(1), lambda done, _: told.append(done), None, kept)
    assert next(done for done in told if done) == 8
    for name, value in expected.network.state_dict().items():
        np.testing.assert_array_equal(resumed.network.state_dict()[name], value, name)
    np.testing.assert_array_equal(resumed.margins, expected.margins)


@pytest.mark.slow
def test_a_companion_that_is_killed_ends_the_fit_in_a_sentence(models: Path, by) -> None:
    def kill(done: int, total: int) -> None:
        if done == 3:
            companions()[0].kill()

    by(2)
    with pytest.raises(CompanionError, match="ended or did not answer any more"):
        few_steps("finetune", models).fit(lesson(), np.random.default_rng(7), kill)


@pytest.mark.slow
def test_a_companion_that_cannot_begin_ends_the_fit_in_a_sentence(
    models: Path, by, monkeypatch
) -> None:
    by(2)
    monkeypatch.setattr(spread, "_path", lambda: "/nowhere")
    monkeypatch.chdir("/")
    with pytest.raises(CompanionError, match="ended before it began"):
        few_steps("finetune", models).fit(lesson(), np.random.default_rng(7), no_report)


@pytest.mark.slow
def test_a_companion_ends_with_a_leader_that_is_killed(models: Path, by) -> None:
    by(2)
    leader = subprocess.Popen(
        [sys.executable, "-c", LEADER, str(models / "text")],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "TMPDIR": tempfile.gettempdir()},
        stdout=subprocess.PIPE,
    )
    with leader:
        assert leader.stdout is not None
        pids = [int(pid) for pid in leader.stdout.readline().split()]
        led: list[psutil.Process] = []
        for pid in pids:
            with suppress(psutil.NoSuchProcess):  # it ended already
                led.append(psutil.Process(pid))
    assert leader.returncode == -signal.SIGKILL
    assert len(pids) == 1
    _, alive = psutil.wait_procs(led, timeout=20)
    assert not alive


@pytest.mark.slow
def test_a_share_that_one_device_does_not_hold_is_halved_on_all(
    models: Path, by, monkeypatch
) -> None:
    import torch

    from learning.students.classification import Classification

    data, whole = lesson(25), Classification.outcome
    seen: set[int] = set()

    def narrow(objective: Classification, rows: np.ndarray, share: float):
        if len(rows) > most:
            raise torch.OutOfMemoryError
        seen.add(len(rows))
        return whole(objective, rows, share)

    student = few_steps("prompt", models)
    alone = student.fit(data, np.random.default_rng(7), no_report)
    by(2)
    monkeypatch.setattr(Classification, "outcome", narrow)
    most = 2
    together = student.fit(data, np.random.default_rng(7), no_report)
    assert seen == {1, 2}, "the leader's three rows are taken in two parts"
    np.testing.assert_allclose(
        together.predict(data.texts), alone.predict(data.texts), atol=1e-5, rtol=0
    )
    most = 1
    with pytest.raises(OutOfMemoryError, match="does not hold 2 items"):
        student.fit(data, np.random.default_rng(7), no_report)
