"""A student that left predicts, where nothing of ours is installed, what it predicted here."""

import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from learning import leaving
from learning.encoders import ENCODERS
from learning.encoders.apart import Apart, together
from learning.spans.words import words_of
from learning.storage import MANIFEST, read_json
from learning.students import STUDENTS
from learning.taggers import TAGGERS
from learning.taggers.types import Words
from learning.types import TrainingData, no_report
from tests.contracts.plugins import example_parameters, three_colours, three_topics
from tests.contracts.test_taggers import lesson

ELSEWHERE = """
import importlib.util, json, sys
sys.path.insert(0, sys.argv[1])
assert importlib.util.find_spec("learning") is None, "this is not elsewhere"
texts = json.loads(sys.argv[2])
texts = [tuple(each) if isinstance(each, list) else each for each in texts]
said = {}
for name, encoder in json.loads(sys.argv[3]):
    student = importlib.import_module(name).load(encoder=encoder)
    said[name] = {"probabilities": student.predict(texts).tolist(), "names": student(texts)}
print(json.dumps({"said": said, "modules": sorted(sys.modules)}))
"""
TEXTS = ["refund my money", "the parcel is late " * 30, "password?", "", "ÜBER ünï 日本語 a"]


def elsewhere(
    folder: Path, packages: list[tuple[str, str]], texts: list[Any] | None = None
) -> dict:
    arguments = [str(folder), json.dumps(texts or TEXTS), json.dumps(packages)]
    done = subprocess.run(
        [sys.executable, "-I", "-c", ELSEWHERE, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def leave(folder: Path, student: str, encoder: str | None, models: Path, *, multi: bool):
    """Fit a student, put it into `folder` as it leaves, and give its word here."""
    texts, group = three_topics(30)
    targets = np.eye(4, dtype=np.float32)[group]  # the fourth label is archived
    if multi:
        targets[::4, 0] = 1
    known = np.ones(targets.shape, dtype=bool)
    known[:, 3] = False
    ready = vectors = None
    if encoder is not None:
        ready = ENCODERS.create(encoder, example_parameters(encoder, models)).fit(texts)
        vectors = ready.encode(texts)
    data = TrainingData(
        targets=targets,
        encodings=vectors,
        texts=texts,
        known=known,
        multi_label=multi,
        label_texts=None if vectors is not None else ("refund", "parcel", "password", ""),
    )
    plugin = STUDENTS.create(student, {**example_parameters(student, models)})
    fitted = plugin.fit(data, np.random.default_rng(0), no_report)
    fitted.save(folder)
    for name, path in leaving.loader_of(student, encoder).items():
        shutil.copyfile(path, folder / name)
    if ready is not None:
        ready.save(folder / "encoder")
        manifest = read_json(folder / "encoder" / MANIFEST)
        params = example_parameters(encoder, models)
        about = leaving.about_encoder(encoder, params, manifest)
        (folder / "encoder.json").write_text(json.dumps(about))
    labels = [
        {"name": name, "archived": name == "Gone"}
        for name in ("Refund", "Parcel", "Password", "Gone")
    ]
    (folder / "labels.json").write_text(json.dumps(labels))
    return fitted.predict(ready.encode(TEXTS) if ready else TEXTS)


@pytest.mark.parametrize("multi", [False, True])
def test_a_head_on_tfidf_needs_numpy_alone(multi: bool, tmp_path: Path) -> None:
    here = leave(tmp_path / "gone", "head", "tfidf-svd", tmp_path, multi=multi)
    told = elsewhere(tmp_path, [("gone", "")])
    np.testing.assert_allclose(told["said"]["gone"]["probabilities"], here, atol=1e-5)
    assert not {"torch", "sklearn", "scipy", "safetensors", "django"} & set(told["modules"])
    names = told["said"]["gone"]["names"]
    assert names[2] == (["Password"] if multi else "Password")


def test_students_on_transformers_need_no_concord(models: Path, tmp_path: Path) -> None:
    here = {
        "headed": leave(tmp_path / "headed", "head", "transformers", models, multi=False),
        "tuned": leave(tmp_path / "tuned", "finetune", None, models, multi=False),
        "paired": leave(tmp_path / "paired", "contrastive", None, models, multi=False),
        "reading": leave(tmp_path / "reading", "label-attention", None, models, multi=False),
    }
    others = [(name, "") for name in ("tuned", "paired", "reading")]
    told = elsewhere(tmp_path, [("headed", str(models / "text")), *others])
    for name, probabilities in here.items():
        np.testing.assert_allclose(told["said"][name]["probabilities"], probabilities, atol=1e-5)


def test_a_head_of_two_texts_reads_elsewhere_as_here_a_lone_line_too(tmp_path: Path) -> None:
    texts, group = three_topics(30)
    ready = Apart(ready=ENCODERS.create("tfidf-svd", {"components": 6, "features": 64}).fit(texts))
    both = [together(texts[-at], text) for at, text in enumerate(texts)]
    data = TrainingData(
        targets=np.eye(3, dtype=np.float32)[group], encodings=ready.encode(both), paired=True
    )
    fitted = STUDENTS.create("head", {}).fit(data, np.random.default_rng(0), no_report)
    put(tmp_path / "halved", fitted, "head", "tfidf-svd")
    ready.save(tmp_path / "halved" / "encoder")
    about = leaving.about_encoder(
        "tfidf-svd", {}, read_json(tmp_path / "halved" / "encoder" / MANIFEST)
    )
    (tmp_path / "halved" / "encoder.json").write_text(json.dumps(about))
    typed = ["my refund", "a parcel\nmy refund"]
    here = fitted.predict(ready.encode([*typed, together("a parcel", "password")]))
    asked = [*typed, ("a parcel", "password")]
    there = elsewhere(tmp_path, [("halved", "")], asked)["said"]["halved"]
    np.testing.assert_allclose(there["probabilities"], here, atol=1e-5)


def put(folder: Path, fitted: Any, kind: str, encoder: str | None) -> None:
    """A student of three labels as it leaves, without its encoder."""
    fitted.save(folder)
    own = (folder / "network.safetensors").is_file()
    for name, path in leaving.loader_of(kind, encoder, own_network=own).items():
        shutil.copyfile(path, folder / name)
    labels = [{"name": name, "archived": False} for name in ("Refund", "Parcel", "Password")]
    (folder / "labels.json").write_text(json.dumps(labels))


def test_two_texts_are_read_elsewhere_as_here(models: Path, tmp_path: Path) -> None:
    texts, group = three_topics(30)
    both = [together(texts[-at], text) for at, text in enumerate(texts)]
    asked = [("a parcel", "my refund"), ("my refund " * 90, "a parcel"), ("password", "")]
    here = {}
    for name, paired in {"joined": False, "crossed": True}.items():
        data = TrainingData(targets=np.eye(3, dtype=np.float32)[group], texts=both, paired=paired)
        plugin = STUDENTS.create("finetune", example_parameters("finetune", models))
        fitted = plugin.fit(data, np.random.default_rng(0), no_report)
        put(tmp_path / name, fitted, "finetune", None)
        here[name] = fitted.predict([together(one, other) for one, other in asked])
    typed = [f"{one}\n{other}" for one, other in asked[:2]]
    told = elsewhere(tmp_path, [(name, "") for name in here], [*asked, *typed])["said"]
    for name, said in here.items():
        np.testing.assert_allclose(told[name]["probabilities"], [*said, *said[:2]], atol=1e-5)
    alone = by_hand(tmp_path / "crossed", *asked[1], fitted.tokens)
    np.testing.assert_allclose(alone, here["crossed"][1], atol=1e-5)


def by_hand(folder: Path, text: str, text_b: str, longest: int) -> Any:
    """What transformers alone makes of a cross-encoder that left, as the docs tell it."""
    import torch
    from safetensors.torch import load_file
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder / "encoder", local_files_only=True)
    encoder = AutoModel.from_pretrained(folder / "encoder", local_files_only=True)
    head = load_file(folder / "head.safetensors")
    cut = tokenizer(text, text_b, truncation=True, max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        mean = encoder(**cut).last_hidden_state.mean(dim=1)
        return torch.softmax(mean @ head["weight"].T + head["bias"], dim=1)[0].numpy()


def test_a_tagger_marks_elsewhere_what_it_marks_here(models: Path, tmp_path: Path) -> None:
    tagger = TAGGERS.create("token-finetune", example_parameters("token-finetune", models))
    fitted = tagger.fit(lesson(60), np.random.default_rng(0), no_report)
    folder = tmp_path / "marker"
    fitted.save(folder)
    for name, path in leaving.loader_of("token-finetune", None).items():
        shutil.copyfile(path, folder / name)
    names = ("Refund", "Parcel", "Gone")
    labels = [{"name": name, "archived": name == "Gone"} for name in names]
    (folder / "labels.json").write_text(json.dumps(labels))
    texts = [
        "please refund today",
        "parcel again " * 60,
        "",
        "日本語 refund refund parcel",
        " ",
        "refund \u200b now",
    ]
    here = fitted.tag(words_in(texts), texts)
    assert len(here.column) > 60, "the long text has windows"
    there = elsewhere(tmp_path, [("marker", "")], texts)["said"]["marker"]
    np.testing.assert_allclose(
        np.array(there["probabilities"])[:, :2], here.present[:, :2], atol=1e-4
    )
    assert np.array(there["probabilities"])[:, 2].max() == 0, "archived"
    for at, told in enumerate(there["names"]):
        expected = [(span, p) for span, p in here.spans(at) if span.label < 2]
        assert [(one["start"], one["end"], one["label"]) for one in told] == [
            (span.start, span.end, names[span.label]) for span, _ in expected
        ]
        probabilities = [one["probability"] for one in told]
        np.testing.assert_allclose(probabilities, [p for _, p in expected], atol=1e-3)


def words_in(texts: list[str]) -> Words:
    edges = [words_of(text) for text in texts]
    counts = [len(each) for each in edges]
    return Words(
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        edges=np.concatenate(edges),
        vectors=np.zeros((sum(counts), 1), dtype=np.float32),
    )


@pytest.mark.parametrize("name", ["minilm", "sentence-transformers"])
def test_vectors_are_the_same_elsewhere(name: str, models: Path, tmp_path: Path) -> None:
    params = example_parameters(name, models)
    ready = ENCODERS.create(name, params).fit([])
    ready.save(tmp_path / "encoder")
    about = leaving.about_encoder(name, params, read_json(tmp_path / "encoder" / MANIFEST))
    (tmp_path / "encoder.json").write_text(json.dumps(about))
    module = Path(leaving.ENCODERS[name]).stem
    there = importlib.import_module(f"learning.leaving.student.{module}")
    encoder = there.Encoder(tmp_path / "encoder", params.get("name", ""))
    np.testing.assert_allclose(encoder.encode(TEXTS), ready.encode(TEXTS), atol=1e-5)


def test_what_was_read_in_8_bits_is_read_in_32_elsewhere(tmp_path: Path) -> None:
    ready = ENCODERS.create("minilm-int8").fit([])
    ready.save(tmp_path / "encoder")
    about = leaving.about_encoder("minilm-int8", {}, read_json(tmp_path / "encoder" / MANIFEST))
    (tmp_path / "encoder.json").write_text(json.dumps(about))
    there = importlib.import_module("learning.leaving.student.encode")
    texts = [text for text in TEXTS if text]
    said = there.Encoder(tmp_path / "encoder").encode(texts)
    assert ((said * ready.encode(texts)).sum(axis=1) > 0.99).all()


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    leave(tmp_path / "gone", "head", "tfidf-svd", tmp_path, multi=False)
    weights = tmp_path / "gone" / "arrays.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    from learning.leaving.student import load

    with pytest.raises(ValueError, match="was changed"):
        load(tmp_path / "gone")


def test_no_path_of_this_machine_leaves() -> None:
    about = leaving.about_encoder("transformers", {"name": "/srv/secret/e5"}, {"weights": "00"})
    assert about["local"]
    assert "/srv" not in json.dumps(about)


def test_what_leaves_is_registered() -> None:
    assert set(leaving.MODELS) <= set(STUDENTS) | set(TAGGERS)
    assert set(leaving.ENCODERS) <= set(ENCODERS)
    assert leaving.loader_of("no such student", None) == {}


@pytest.mark.parametrize("params", [{"epochs": 2, "batch": 8}, None])
def test_a_student_of_images_sees_elsewhere_what_it_sees_here(
    params: dict | None, models: Path, tmp_path: Path
) -> None:
    images, group = three_colours(30)
    data = TrainingData(targets=np.eye(3, dtype=np.float32)[group], images=images)
    params = params or example_parameters("image-finetune", models)
    plugin = STUDENTS.create("image-finetune", params)
    fitted = plugin.fit(data, np.random.default_rng(0), no_report)
    put(tmp_path / "seeing", fitted, "image-finetune", None)
    paths = files(tmp_path, images)
    said = elsewhere(tmp_path, [("seeing", "")], paths)
    assert ("transformers" in said["modules"]) == (tmp_path / "seeing" / "encoder").is_dir()
    said = said["said"]["seeing"]
    np.testing.assert_allclose(said["probabilities"], fitted.predict(images), atol=1e-5)
    assert set(said["names"]) <= {"Refund", "Parcel", "Password"}


@pytest.mark.parametrize("encoder", ["pixels-pca", "vision"])
def test_a_head_of_images_takes_files_elsewhere(encoder: str, models: Path, tmp_path: Path) -> None:
    images, group = three_colours(30)
    params = {"colour": "rgb"} if encoder == "pixels-pca" else example_parameters(encoder, models)
    ready = ENCODERS.create(encoder, params).fit(images)
    data = TrainingData(targets=np.eye(3, dtype=np.float32)[group], encodings=ready.encode(images))
    fitted = STUDENTS.create("head", {}).fit(data, np.random.default_rng(0), no_report)
    put(tmp_path / "headed", fitted, "head", encoder)
    ready.save(tmp_path / "headed" / "encoder")
    about = leaving.about_encoder(
        encoder, params, read_json(tmp_path / "headed" / "encoder" / MANIFEST)
    )
    (tmp_path / "headed" / "encoder.json").write_text(json.dumps(about))
    named = str(params.get("name", ""))
    told = elsewhere(tmp_path, [("headed", named)], files(tmp_path, images))
    said = told["said"]["headed"]["probabilities"]
    np.testing.assert_allclose(said, fitted.predict(ready.encode(images)), atol=1e-5)
    assert ("torch" in told["modules"]) == (encoder == "vision")


def files(folder: Path, images: list[bytes]) -> list[str]:
    """Where the images lie now."""
    paths = []
    for number, content in enumerate(images):
        (folder / f"{number}.png").write_bytes(content)
        paths.append(str(folder / f"{number}.png"))
    return paths
