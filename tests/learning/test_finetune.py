"""The fine-tuned transformer: a kill, a wrong checkpoint, cancel, and the built-in model."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning.encoders.named import Transformers
from learning.errors import (
    CheckpointMismatchError,
    DamagedFileError,
    ModelUnavailableError,
    OutOfMemoryError,
    ParameterError,
    ShapeError,
)
from learning.students.finetune import Finetune
from learning.types import no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import lesson
from tests.tiny_models import tiny_masked

__all__ = ["models"]

KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from transformers import BertModel
from learning.students.finetune import Finetune
from tests.contracts.plugins import lesson
student = Finetune(model=sys.argv[1], epochs=3, batch=8, learning_rate=1e-3, checkpoint_steps=4)
for kill_at in map(int, sys.argv[3:]):
    def report(done, total):
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        folder = Path(sys.argv[2]) / str(kill_at)
        student.fit(lesson(), np.random.default_rng(7), report, None, folder)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
KILL_AT = (2, 10)


@pytest.fixture
def tiny(models: Path) -> Finetune:
    return Finetune(
        model=str(models / "text"), epochs=3, batch=8, learning_rate=1e-3, checkpoint_steps=4
    )


def predictions(student: Finetune, checkpoint: Path | None = None, seed: int = 7, report=no_report):
    fitted = student.fit(lesson(), np.random.default_rng(seed), report, None, checkpoint)
    return fitted.predict(lesson().texts)


@pytest.fixture(scope="module")
def killed(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What learners that were killed left, each in a folder named by the step at which it was."""
    import torch

    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(models / "text"), str(folder), *map(str, KILL_AT)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [str(-signal.SIGKILL)] * len(KILL_AT), done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kill_at", KILL_AT)
def test_goes_on_after_a_kill_to_the_very_same_weights(
    tiny: Finetune, killed: Path, kill_at: int
) -> None:
    told: list[int] = []
    folder = killed / str(kill_at)
    resumed = predictions(tiny, folder, seed=1234, report=lambda done, total: told.append(done))
    first = next(done for done in told if done)
    assert first == (8 if kill_at == 10 else 1), "it began behind the last checkpoint"
    expected = predictions(tiny, seed=7 if kill_at >= 4 else 1234)
    np.testing.assert_array_equal(resumed, expected)


def test_the_outside_world_keeps_its_own_chance(tiny: Finetune) -> None:
    import torch

    before = torch.random.get_rng_state()
    predictions(tiny)
    assert torch.equal(before, torch.random.get_rng_state())


class TestCheckpoint:
    @pytest.fixture
    def folder(self, tiny: Finetune, tmp_path: Path) -> Path:
        def stop(done: int, total: int) -> None:
            if done == 9:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            predictions(tiny, tmp_path, report=stop)
        return tmp_path

    def test_keeps_one_state_and_no_pickle(self, folder: Path) -> None:
        assert sorted(path.name for path in folder.iterdir()) == [
            "checkpoint.json",
            "state-8.safetensors",
        ]

    def test_refuses_other_parameters_and_other_data(self, tiny: Finetune, folder: Path) -> None:
        with pytest.raises(CheckpointMismatchError):
            predictions(replace(tiny, epochs=4), folder)
        other = replace(lesson(), weights=np.full(60, 2, dtype=np.float32))
        with pytest.raises(CheckpointMismatchError):
            tiny.fit(other, np.random.default_rng(7), no_report, None, folder)

    def test_refuses_a_changed_state(self, tiny: Finetune, folder: Path) -> None:
        state = folder / "state-8.safetensors"
        content = bytearray(state.read_bytes())
        content[-1] ^= 1
        state.write_bytes(content)
        with pytest.raises(DamagedFileError, match="changed"):
            predictions(tiny, folder)


def test_refuses_encodings_missing_models_and_bad_parameters(tiny: Finetune) -> None:
    with pytest.raises(ShapeError, match="texts"):
        tiny.fit(replace(lesson(), texts=None), np.random.default_rng(0), no_report)
    with pytest.raises(ModelUnavailableError):
        predictions(Finetune(model="/nowhere/at/all"))
    for wrong in ({"epochs": 0}, {"learning_rate": 0.0}, {"warmup": 1.0}, {"model": ""}):
        with pytest.raises(ParameterError):
            Finetune(**wrong)


def test_a_model_that_does_not_fit_ends_in_a_sentence(tiny: Finetune) -> None:
    import torch

    from learning.students.classification import learn

    def make() -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(OutOfMemoryError, match="Choose a smaller model"):
        learn(tiny, lesson(), make, np.random.default_rng(0), no_report, None)


@pytest.mark.parametrize("kind", ["bert", "roberta"])
def test_what_is_longer_than_a_model_reads_is_cut_however_many_tokens_are_wanted(
    kind: str, tmp_path: Path
) -> None:
    folder = str(tiny_masked(tmp_path / "model", kind, part="Model"))
    long = "the label " * 100
    lengthy = replace(lesson(8), texts=[long] * 8)
    student = Finetune(model=folder, tokens=1_000, epochs=1, batch=4)
    fitted = student.fit(lengthy, np.random.default_rng(0), no_report)
    assert np.isfinite(fitted.predict([long])).all()
    fitted.save(tmp_path / "student")
    np.testing.assert_array_equal(
        Finetune.load(tmp_path / "student").predict([long]), fitted.predict([long])
    )
    encoder = Transformers(name=folder, tokens=1_000).fit()
    vectors = encoder.encode([long, f"{long} the name", "a label's name"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


@pytest.mark.slow
def test_the_built_in_model_learns_from_a_dozen_texts(tmp_path: Path) -> None:
    from learning import students

    data = lesson(24)
    student = Finetune(epochs=4, batch=8)
    fitted = student.fit(data, np.random.default_rng(0), no_report)
    unseen = ["could I have my money back?", "where is my parcel", "cannot log in, wrong password"]
    assert fitted.predict(unseen).argmax(axis=1).tolist() == [0, 1, 2]
    fitted.save(tmp_path)
    again = students.load(tmp_path)
    np.testing.assert_array_equal(again.predict(unseen), fitted.predict(unseen))


@pytest.mark.parametrize("multi_label", [False, True])
def test_an_answer_is_a_tenth_of_a_no_to_a_younger_label(multi_label: bool) -> None:
    import torch

    from learning.students.losses import cross_entropy

    logits, targets = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 0.0, 0.0]])
    known, younger = torch.ones(1, 3, dtype=torch.bool), torch.tensor([[False, False, True]])
    cost = cross_entropy(logits, targets, known, multi_label=multi_label, younger=younger)
    if multi_label:
        each = torch.nn.functional.softplus(torch.tensor([-1.0, 2.0, 3.0]))
        expected = each[0] + each[1] + 0.1 * each[2]
    else:
        shares = logits.exp()[0] * torch.tensor([1.0, 1.0, 0.1])
        expected = -torch.log(shares[0] / shares.sum())
    assert float(cost[0]) == pytest.approx(float(expected), rel=1e-5)
