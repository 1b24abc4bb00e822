"""The student that looks at images: networks of several kinds, a kill, images that cannot be read."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from learning import students
from learning.errors import (
    CheckpointMismatchError,
    CompanionError,
    ModelUnavailableError,
    ParameterError,
    ShapeError,
    UnreadableItemError,
)
from learning.image_files import BLANK, ImageFiles
from learning.students.image_finetune import ImageFinetune
from learning.types import TrainingData, no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import lesson, three_colours
from tests.tiny_models import TINY_VISION, tiny_vision

__all__ = ["models"]

SMALL = ImageFinetune(epochs=6, batch=8, checkpoint_steps=4)
KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from tests.contracts.plugins import lesson
from tests.learning.test_image_finetune import SMALL
for kill_at in map(int, sys.argv[2:]):
    def report(done, total):
        if done == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
    child = os.fork()
    if child == 0:
        SMALL.fit(lesson(), np.random.default_rng(7), report, None, Path(sys.argv[1]) / str(kill_at))
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
KILL_AT = (2, 10)


def predictions(student, checkpoint=None, seed=7, report=no_report, data=None):
    data = data or lesson()
    fitted = student.fit(data, np.random.default_rng(seed), report, None, checkpoint)
    return fitted.predict(data.images)


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What learners that were killed left, each in a folder named by the step at which it was."""
    import torch

    folder = tmp_path_factory.mktemp("killed")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder), *map(str, KILL_AT)],
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
def test_goes_on_after_a_kill_to_the_very_same_weights(killed: Path, kill_at: int) -> None:
    told: list[int] = []
    folder = killed / str(kill_at)
    resumed = predictions(SMALL, folder, seed=1234, report=lambda done, _: told.append(done))
    first = next(done for done in told if done)
    assert first == (8 if kill_at == 10 else 1), "it began behind the last checkpoint"
    expected = predictions(SMALL, seed=7 if kill_at >= 4 else 1234)
    np.testing.assert_array_equal(resumed, expected)


def test_the_built_in_network_tells_pictures_apart_it_has_not_seen(tmp_path: Path) -> None:
    fitted = SMALL.fit(lesson(), np.random.default_rng(0), no_report)
    unseen, group = three_colours(30, seed=5)
    said = fitted.predict(unseen)
    assert (said.argmax(axis=1) == group).mean() > 0.9
    assert fitted.margins.shape == (6, 60)
    fitted.save(tmp_path)
    np.testing.assert_array_equal(students.load(tmp_path).predict(unseen), said)


@pytest.mark.parametrize("kind", TINY_VISION)
@pytest.mark.parametrize("method", ["full", "lora"])
def test_models_of_every_make_learn_and_come_back_the_same(
    kind: str, method: str, tmp_path: Path
) -> None:
    student = ImageFinetune(
        model=str(tiny_vision(tmp_path / "model", kind)),
        method=method,
        epochs=2,
        batch=7,  # the last batch is of one picture
        learning_rate=1e-3,
    )
    data = lesson(15)
    if (kind, method) == ("resnet", "lora"):
        with pytest.raises(ModelUnavailableError, match="no linear layers"):
            predictions(student, data=data)
        return
    fitted = student.fit(data, np.random.default_rng(0), no_report)
    fitted.save(tmp_path / "student")
    again = students.load(tmp_path / "student")
    np.testing.assert_allclose(again.predict(data.images), fitted.predict(data.images), atol=1e-6)
    assert not [n for n, _ in again.network.named_parameters() if ".up." in n], "merged"


@pytest.mark.parametrize("kind", ["vit", "dinov2", "clip"])
def test_what_stands_before_the_patches_has_no_part_in_the_mean(kind: str, tmp_path: Path) -> None:
    import torch

    from learning.encoders.vision import load_vision
    from learning.students.image_network import vectors_of

    _, encoder, _ = load_vision(str(tiny_vision(tmp_path, kind)), None)
    pixels = torch.rand(2, 3, 32, 32)
    hidden = encoder(pixel_values=pixels).last_hidden_state
    ahead = {"vit": 1, "dinov2": 5, "clip": 1}[kind]
    assert hidden.shape[1] == 16 + ahead
    torch.testing.assert_close(vectors_of(encoder, pixels), hidden[:, ahead:].mean(dim=1))


def test_batch_normalisation_keeps_the_figures_that_a_model_came_with(tmp_path: Path) -> None:
    from learning.encoders.vision import load_vision

    folder = str(tiny_vision(tmp_path, "resnet"))
    student = ImageFinetune(model=folder, epochs=2, batch=8)
    fitted = student.fit(lesson(15), np.random.default_rng(0), no_report)
    _, before, _ = load_vision(folder, None)
    after = dict(fitted.network.encoder.named_buffers())
    for name, value in before.named_buffers():
        np.testing.assert_array_equal(after[name].numpy(), value.numpy())


class TestFiles:
    @pytest.fixture
    def files(self, tmp_path: Path) -> ImageFiles:
        paths = []
        for number, content in enumerate(lesson().images):
            path = tmp_path / f"{number}.png"
            path.write_bytes(content)
            paths.append(str(path))
        return ImageFiles(paths=tuple(paths), names=tuple(f"Item {n + 100}" for n in range(60)))

    def test_it_learns_the_same_from_files_as_from_bytes(self, files: ImageFiles) -> None:
        np.testing.assert_array_equal(
            predictions(SMALL, data=replace(lesson(), images=files)), predictions(SMALL)
        )

    def test_no_file_is_read_before_it_is_needed(self, tmp_path: Path) -> None:
        nowhere = ImageFiles(paths=(str(tmp_path / "gone"),) * 4, names=("Item 7",) * 4)
        data = TrainingData(targets=np.ones((4, 1), dtype=np.float32), images=nowhere)
        part = data.subset(np.array([2, 0]))
        assert len(part.images) == 2
        assert len(nowhere[1:3]) == 2
        with pytest.raises(UnreadableItemError, match="Item 7: its file cannot be read"):
            part.images[0]

    def test_an_image_that_cannot_be_read_is_named(self, files: ImageFiles) -> None:
        Path(files.paths[3]).write_bytes(b"no image at all")
        with pytest.raises(UnreadableItemError, match="Item 103: An image cannot be read"):
            predictions(SMALL, data=replace(lesson(), images=files))
        with pytest.raises(UnreadableItemError, match=r"Image 1 \(from 0\)"):
            learnt().predict([lesson().images[0], b"no image"])

    def test_one_that_was_redacted_is_blank(self) -> None:
        assert ImageFiles(paths=("",), names=("Item 1",))[0] == BLANK
        assert learnt().predict([BLANK]).shape == (1, 4)

    def test_other_images_are_another_lesson(self, files: ImageFiles, tmp_path: Path) -> None:
        def stop(done: int, total: int) -> None:
            if done == 9:
                raise InterruptedError

        with pytest.raises(InterruptedError):
            predictions(SMALL, tmp_path / "kept", report=stop)
        other = replace(lesson(), images=three_colours(60, seed=1)[0])
        with pytest.raises(CheckpointMismatchError):
            predictions(SMALL, tmp_path / "kept", data=other)

    @pytest.mark.slow
    def test_two_processes_come_to_what_one_does(self, files: ImageFiles, monkeypatch) -> None:
        from learning.students import spread

        data = replace(lesson(), images=files)
        alone = predictions(SMALL, data=data)
        monkeypatch.setenv(spread.COUNT, "2")
        together = predictions(SMALL, data=data)  # each has a dropout of its own
        assert (together.argmax(axis=1) == data.targets.argmax(axis=1)).mean() > 0.9
        np.testing.assert_allclose(together, alone, atol=0.1)
        with pytest.raises(CompanionError, match="lie in files"):
            predictions(SMALL)


def learnt():
    return replace(SMALL, epochs=1).fit(lesson(), np.random.default_rng(0), no_report)


def test_no_more_is_kept_decoded_than_has_room(monkeypatch: pytest.MonkeyPatch) -> None:
    from learning.students import pictures

    monkeypatch.setattr(pictures, "KEPT_BYTES", 5 * 3 * 32 * 32 * 4)
    images = lesson().images
    lazy = pictures.Pictures(images=images, eye=pictures.small_eye)
    taken = lazy.take(np.arange(20))
    assert sorted(lazy.kept) == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(lazy.take(np.arange(20)).numpy(), taken.numpy())


def test_the_built_in_network_takes_more_epochs_the_fewer_items_there_are() -> None:
    asked = [ImageFinetune()._for(rows).epochs for rows in (40, 160, 500, 5_000)]
    assert asked == [100, 60, 20, 20]
    assert ImageFinetune(model="a/b")._for(40).epochs == 10
    assert ImageFinetune(epochs=3)._for(40).epochs == 3


def test_refuses_texts_missing_models_and_bad_parameters(models: Path) -> None:
    with pytest.raises(ShapeError, match="learns from images"):
        SMALL.fit(replace(lesson(), images=None), np.random.default_rng(0), no_report)
    for wrong in (np.zeros((2, 3), dtype=np.float32), ["a text"], "a text"):
        with pytest.raises(ShapeError, match="bytes of image files"):
            learnt().predict(wrong)
    for nowhere in ("/nowhere/at/all", str(models / "text")):
        with pytest.raises(ModelUnavailableError):
            predictions(ImageFinetune(model=nowhere))
    with pytest.raises(ParameterError, match="trained whole"):
        ImageFinetune(method="lora")
    with pytest.raises(ShapeError, match="another network"):
        ImageFinetune(model=str(models / "vision"), epochs=1).fit(
            lesson(), np.random.default_rng(0), no_report, learnt()
        )
