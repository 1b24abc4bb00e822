"""What contract tests need to make any plugin: parameters for those without defaults, models."""

import io
from pathlib import Path

import numpy as np

from learning.audit.conformal import CONFORMAL
from learning.audit.detectors import DETECTORS
from learning.consensus import CONSENSUS
from learning.encoders import ENCODERS
from learning.layouts import LAYOUTS
from learning.rankers import RANKERS
from learning.registry import Registry
from learning.routing import ROUTERS
from learning.routing.types import Candidates, Seed
from learning.selection import STRATEGIES
from learning.students import STUDENTS
from learning.taggers import TAGGERS
from learning.tasks import TASKS
from learning.teachers import TEACHERS
from learning.types import Pool, TrainingData

REGISTRIES: dict[str, Registry] = {
    "Encoders": ENCODERS,
    "Students": STUDENTS,
    "Taggers": TAGGERS,
    "Rankers": RANKERS,
    "Selection strategies": STRATEGIES,
    "Teachers": TEACHERS,
    "Routers": ROUTERS,
    "Consensus methods": CONSENSUS,
    "Conformal methods": CONFORMAL,
    "Layouts": LAYOUTS,
    "Detectors": DETECTORS,
    "Task types": TASKS,
}
EVERY = [(kind, name) for kind, registry in REGISTRIES.items() for name in registry]


def example_parameters(name: str, models: Path, kind: str = "") -> dict:
    """Parameters that make a plugin small and offline."""
    if kind == "Selection strategies":  # one of them has the name of a student
        return {}
    return {
        "sentence-transformers": {"name": str(models / "minilm")},
        "transformers": {"name": str(models / "text")},
        "vision": {"name": str(models / "vision")},
        "finetune": {
            "model": str(models / "text"),
            "epochs": 12,
            "batch": 8,
            "learning_rate": 1e-3,
        },
        "image-finetune": {
            "model": str(models / "vision"),
            "epochs": 12,
            "batch": 8,
            "learning_rate": 1e-3,
        },
        "dual-encoder": {
            "model": str(models / "text"),
            "epochs": 12,
            "batch": 8,
            "learning_rate": 1e-3,
            "label_rate": 1e-2,
        },
        "label-attention": {"model": str(models / "text")},
        "contrastive": {
            "model": str(models / "text"),
            "epochs": 4,
            "batch": 20,
            "learning_rate": 1e-3,
        },
        "decoder-lora": {
            "model": str(models / "causal"),
            "epochs": 4,
            "learning_rate": 1e-2,
            "head_rate": 1e-2,
        },
        "prompt": {
            "model": str(models / "causal"),
            "length": 8,
            "learning_rate": 3e-2,
            "head_rate": 1e-1,
        },
        "token-finetune": {
            "model": str(models / "text"),
            "epochs": 15,
            "batch": 8,
            "tokens": 32,
            "learning_rate": 1e-3,
            "head_rate": 1e-2,
        },
        "tfidf-svd": {"components": 16, "features": 4096},
    }.get(name, {})


def three_groups(rows: int, dimensions: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(n, d) unit rows in three groups, and (n,) which."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(3, dimensions))
    group = np.arange(rows) % 3
    points = centres[group] + 0.5 * rng.normal(size=(rows, dimensions))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return points.astype(np.float32), group


WORDS = ("refund money back please", "parcel is late again", "password does not work")


def three_topics(rows: int) -> tuple[list[str], np.ndarray]:
    """Texts about three things, and which."""
    group = np.arange(rows) % 3
    return [f"{WORDS[g]} {i}" for i, g in enumerate(group)], group


def three_colours(rows: int, seed: int = 0) -> tuple[list[bytes], np.ndarray]:
    """PNG files of different sizes, each mostly of one of three colours, and which."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    group, files = np.arange(rows) % 3, []
    for place, colour in enumerate(group):
        picture = rng.integers(0, 120, (9 + place % 5, 12, 3), dtype=np.uint8)
        picture[:, :, colour] = 230
        stream = io.BytesIO()
        Image.fromarray(picture).save(stream, "PNG")
        files.append(stream.getvalue())
    return files, group


def a_pool(rows: int = 90, dimensions: int = 8, *, multi_label: bool = False) -> Pool:
    """A pool with a student's word, some rows labelled and some not eligible.

    With several labels, every sixth item has all of them, and the student half believes it.
    """
    points, group = three_groups(rows, dimensions)
    probabilities = np.full((rows, 3), 0.1, dtype=np.float32)
    probabilities[np.arange(rows), group] = np.linspace(0.4, 0.8, rows)
    truth = np.eye(3, dtype=np.float32)[group]
    if multi_label:
        probabilities[::6] = np.linspace(0.3, 0.7, 3)
        truth[::6] = 1
    else:
        probabilities /= probabilities.sum(axis=1, keepdims=True)
    labelled = np.zeros(rows, dtype=bool)
    labelled[::5] = True
    eligible = np.ones(rows, dtype=bool)
    eligible[1::7] = False
    return Pool(
        eligible=eligible,
        labelled=labelled,
        probabilities=probabilities,
        encodings=points.astype(np.float16),
        label_names=("Refund", "Billing", "Login"),
        multi_label=multi_label,
        answers=truth[labelled],
        teacher_error=0.2,
        set_sizes=np.arange(rows) % 4,
        lengths=np.arange(rows) * 37 % 500,
        apart=np.where(np.arange(rows) % 3, np.nan, np.arange(rows) / rows).astype(np.float32),
        wanted=np.arange(rows - 1, max(rows - 7, -1), -1),
    )


def lesson(rows: int = 60, *, multi_label: bool = False) -> TrainingData:
    """Texts, images and encodings of three topics, with a fourth label that is not known anywhere."""
    texts, group = three_topics(rows)
    images, _ = three_colours(rows)
    points, _ = three_groups(rows, 8)
    targets = np.zeros((rows, 4), dtype=np.float32)
    targets[np.arange(rows), group] = 1
    if multi_label:
        targets[::6, :3] = 1
    known = np.ones((rows, 4), dtype=bool)
    known[:, 3] = False
    return TrainingData(
        targets=targets,
        encodings=points,
        texts=texts,
        images=images,
        known=known,
        multi_label=multi_label,
    )


def taught(rows: int = 120, *, multi_label: bool = False, seed: int = 0) -> Seed:
    """Items of three groups that a teacher and a person labelled: on the third group the teacher is
    wrong half of the time, and less sure.
    """
    rng = np.random.default_rng(seed)
    points, group = three_groups(rows, 8)
    truth = np.eye(3, dtype=np.float32)[group]
    wrong = (group == 2) & (rng.random(rows) < 0.5)
    said = np.where(wrong, 0, group)
    sure = np.where(group == 2, 0.6, 0.9) + rng.uniform(-0.05, 0.05, rows)
    teacher = np.full((rows, 3), 0.05, dtype=np.float32)
    teacher[np.arange(rows), said] = sure
    student = 0.7 * truth + 0.1
    if not multi_label:
        teacher /= teacher.sum(axis=1, keepdims=True)
    items = Candidates(
        teacher=teacher,
        answered=np.ones(rows, dtype=np.bool_),
        confidence=sure,
        disagreement=np.where(wrong, 0.8, 0.2),
        neighbours=np.linspace(0, 1, rows),
        student=student.astype(np.float32),
        encodings=points,
        lengths=rng.integers(5, 500, rows),
        set_sizes=np.arange(rows) % 3 + 1,
        label_names=("Refund", "Billing", "Login"),
        multi_label=multi_label,
    )
    return Seed(items=items, truth=truth, draw_probabilities=rng.uniform(0.05, 0.1, rows))


def a_wide_pool() -> Pool:
    """700 items about six labels of which no two are alike, 20 of them labelled."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12, 16))[rng.integers(12, size=700)] + rng.normal(size=(700, 16))
    scores = np.exp(x @ rng.normal(size=(16, 6)))
    p = (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)
    labelled = np.arange(700) < 20
    return Pool(
        eligible=np.ones(700, dtype=bool),
        labelled=labelled,
        probabilities=p,
        encodings=x.astype(np.float16),
        label_names=tuple("ABCDEF"),
        answers=np.eye(6, dtype=np.float32)[p[labelled].argmax(axis=1)],
        teacher_error=0.2,
        set_sizes=rng.integers(4, size=700),
        lengths=rng.integers(5000, size=700),
        apart=rng.random(700).astype(np.float32),
        wanted=rng.permutation(700)[:100],
    )
