"""The matrix file: what is on disk after crashes, races and wrong calls."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from learning.encoders.matrix import Matrix
from learning.errors import DamagedFileError, ShapeError


@pytest.fixture
def rows() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)


def test_rows_come_back_in_float16(tmp_path: Path, rows: np.ndarray) -> None:
    matrix = Matrix(tmp_path / "m.f16", 4)
    assert matrix.rows == 0
    assert matrix.view().shape == (0, 4)
    matrix.write(0, rows[:20])
    matrix.write(20, rows[20:])
    assert matrix.rows == 50
    again = Matrix(tmp_path / "m.f16", 4).view()
    assert isinstance(again, np.memmap)
    np.testing.assert_array_equal(again, rows.astype(np.float16))
    with pytest.raises(ValueError, match="read-only"):
        again[0] = 1


def test_rows_may_be_written_again(tmp_path: Path, rows: np.ndarray) -> None:
    matrix = Matrix(tmp_path / "m.f16", 4)
    matrix.write(0, rows)
    matrix.write(10, rows[:5])
    assert matrix.rows == 50
    np.testing.assert_array_equal(matrix.view()[10:15], rows[:5].astype(np.float16))
    np.testing.assert_array_equal(matrix.view()[15:], rows[15:].astype(np.float16))


def test_a_view_keeps_its_rows_while_others_are_added(tmp_path: Path, rows: np.ndarray) -> None:
    matrix = Matrix(tmp_path / "m.f16", 4)
    matrix.write(0, rows[:20])
    view = matrix.view()
    matrix.write(20, rows[20:])
    assert view.shape == (20, 4)
    np.testing.assert_array_equal(view, rows[:20].astype(np.float16))


@pytest.mark.parametrize(
    ("start", "vectors"),
    [
        (1, np.zeros((1, 4))),
        (-1, np.zeros((1, 4))),
        (0, np.zeros((1, 5))),
        (0, np.zeros(4)),
        (0, np.full((1, 4), np.nan)),
        (0, np.full((1, 4), 1e6)),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_refuses_holes_and_odd_values(tmp_path: Path, start: int, vectors: np.ndarray) -> None:
    matrix = Matrix(tmp_path / "m.f16", 4)
    with pytest.raises(ShapeError):
        matrix.write(start, vectors)
    assert matrix.rows == 0


def test_refuses_another_number_of_dimensions(tmp_path: Path, rows: np.ndarray) -> None:
    Matrix(tmp_path / "m.f16", 4).write(0, rows)
    with pytest.raises(DamagedFileError, match="not <f2 rows of 5"):
        Matrix(tmp_path / "m.f16", 5)


def test_refuses_a_file_that_was_cut(tmp_path: Path, rows: np.ndarray) -> None:
    Matrix(tmp_path / "m.f16", 4).write(0, rows)
    os.truncate(tmp_path / "m.f16", 100)
    with pytest.raises(DamagedFileError, match="cut short"):
        Matrix(tmp_path / "m.f16", 4)


def test_a_kill_between_rows_and_manifest_loses_only_that_write(
    tmp_path: Path, rows: np.ndarray
) -> None:
    code = """
import os, signal, sys
from pathlib import Path
import numpy as np
from learning.encoders import matrix
m = matrix.Matrix(Path(sys.argv[1]), 4)
m.write(0, np.ones((3, 4)))
matrix.write_json = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
m.write(3, np.full((9, 4), 2.0))
"""
    path = tmp_path / "m.f16"
    root = Path(__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", code, str(path)], cwd=root, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.stat().st_size == 12 * 4 * 2, "the rows were on disk, the manifest was not"
    matrix = Matrix(path, 4)
    assert matrix.rows == 3
    matrix.write(3, rows)
    np.testing.assert_array_equal(matrix.view()[3:], rows.astype(np.float16))


def test_two_writers_of_the_same_rows_agree(tmp_path: Path, rows: np.ndarray) -> None:
    def work() -> None:
        matrix = Matrix(tmp_path / "m.f16", 4)
        while (start := matrix.rows) < 50:
            matrix.write(start, rows[start : start + 3])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(Matrix(tmp_path / "m.f16", 4).view(), rows.astype(np.float16))
