"""Boxes from a zip of images to verdicts, and from verdicts to files."""

import json
from io import BytesIO
from uuid import uuid4

import pytest

from annotator.actions.desk import assigning, labeling
from annotator.actions.exports import exporting
from annotator.actions.exports.exporting import Options, create_snapshot
from annotator.actions.imports import importing, undoing
from annotator.actions.imports.looking import look
from annotator.actions.projects import schema, starting
from annotator.actions.review import flagging
from annotator.actions.verdicts import agreeing, settling
from annotator.errors import ConflictError, InvalidError
from annotator.models import BatchState, Flag, FlagKind, Project, Verdict
from tests.annotator.actions.test_importing import run
from tests.annotator.formats.test_images import packed, picture
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_folder(settings, tmp_path):
    settings.DATA_DIR = tmp_path


def exported(project, format):
    snapshot = create_snapshot(project, Options.from_json({"format": format, "pack": "file"}))
    run(snapshot.job)
    snapshot.refresh_from_db()
    return exporting.path_of(snapshot).read_bytes()


def test_no_label_has_the_key_that_makes_a_box(cast):
    project = make_project(cast, labels=(), task_type="boxes", item_kind="image")
    labels = schema.add_labels(project, [(f"Label {n}", "", "", "") for n in range(29)])
    assert "n" not in {label.hotkey for label in labels}
    assert sum(bool(label.hotkey) for label in labels) == len(schema.HOTKEYS) - 1
    with pytest.raises(ConflictError, match="page itself uses"):
        schema.change_label(labels[0], name="Cat", description="", hotkey="n")


def test_a_zip_of_images_becomes_boxes_in_pixels(cast):
    data = packed(a=picture(size=(80, 40)), b=picture(colour=(0, 9, 0)))
    batch = starting.open_project(cast.lea, BytesIO(data), file_name="pets.zip")
    mapping = look(batch).mapping
    options = importing.Options()
    batch = starting.begin(
        batch,
        mapping,
        options,
        cast.lea,
        task_type="boxes",
        labels=[("Cat", "purrs"), ("Dog", "")],
    )
    batch.refresh_from_db()
    run(batch.job)
    batch.refresh_from_db()
    assert batch.state == BatchState.DONE
    project = Project.objects.get(pk=batch.project_id)
    Project.objects.filter(pk=project.pk).update(overlap=2)
    project.refresh_from_db()
    cat = project.labels.get(name="Cat").pk
    people = [cast.lea, cast.ana]
    project.memberships.get_or_create(user=cast.ana, defaults={"role": "annotator"})
    for at, user in enumerate(people):
        voice = assigning.voice_of(project, user)
        for lease in assigning.lease(project, voice, 2):
            box = {"x": 0.25 + 0.02 * at, "y": 0.1, "w": 0.5, "h": 0.5, "label": cat}
            with pytest.raises(InvalidError, match="Box 1 reaches over the edge"):
                labeling.submit(
                    project,
                    voice,
                    uuid=uuid4(),
                    assignment_id=lease.pk,
                    value={"boxes": [box | {"w": 0.9}]},
                )
            value = {"boxes": [box]}
            labeling.submit(project, voice, uuid=uuid4(), assignment_id=lease.pk, value=value)
    settling.settle_now(project)
    told = agreeing.figures(project)
    assert told["distance"] == "boxes"
    assert told["closeness"]["value"] == 1

    coco = json.loads(exported(project, "coco"))
    sizes = {each["id"]: (each["width"], each["height"]) for each in coco["images"]}
    found = {sizes[one["image_id"]]: one["bbox"] for one in coco["annotations"]}
    assert found[80, 40] == [20.8, 4, 40, 20]
    rows = [json.loads(line) for line in exported(project, "jsonl").splitlines()]
    assert {(row["width"], row["height"]) for row in rows} == set(sizes.values())
    assert rows[0]["boxes"] == [{"label": "Cat", "x": 0.26, "y": 0.1, "w": 0.5, "h": 0.5}]
    with pytest.raises(InvalidError, match="such items"):
        exported(project, "spacy")


def test_a_zip_with_a_file_of_boxes_becomes_the_truth(cast):
    boxes = [
        {"x": 0.5, "y": 0.1, "w": 0.25, "h": 0.5, "label": "Dog"},
        {"x": 0.25, "y": 0.1, "w": 0.25, "h": 0.5, "label": "Cat"},
    ]
    told = [
        {"image": "a.png", "boxes": boxes},
        {"image": "b.png", "boxes": []},
        {"image": "c.png", "boxes": [boxes[0] | {"w": 0.9}]},
    ]
    pictures = {f"{name}.png": picture(size=(80, at)) for at, name in enumerate("abcd", 40)}
    lines = "\n".join(map(json.dumps, told)).encode()
    data = packed(**pictures, **{"boxes.jsonl": lines, "manifest.json": b"{}"})
    batch = starting.open_project(cast.lea, BytesIO(data), file_name="pets.zip")
    assert (batch.format, batch.project.task_type) == ("boxes", "boxes")
    options = importing.Options(labels="truth", bad_rows="skip")
    with pytest.raises(InvalidError, match="Nothing is suggested"):
        starting.begin(
            batch, look(batch).mapping, importing.Options(labels="suggestions"), cast.lea
        )
    batch = starting.begin(batch, look(batch).mapping, options, cast.lea)
    run(batch.job)
    batch.refresh_from_db()
    ((_, _, message),) = batch.report["problems"]
    assert "Box 1 reaches over the edge" in message
    project = Project.objects.get(pk=batch.project_id)
    settling.settle_now(project)
    rows = [json.loads(line) for line in exported(project, "jsonl").splitlines()]
    assert [row["boxes"] for row in rows] == [boxes[::-1], [], None]
    assert [row["source"] for row in rows] == ["truth", "truth", None]


def test_boxes_go_out_for_yolo_with_their_images_and_come_back_with_them(cast):
    box = {"x": 0.5, "y": 0.1, "w": 0.25, "h": 0.5, "label": "Dog"}
    told = [{"image": "a.png", "boxes": [box]}, {"image": "b.png", "boxes": []}]
    pictures = {f"{name}.png": picture(size=(80, at)) for at, name in enumerate("abc", 40)}
    lines = "\n".join(map(json.dumps, told)).encode()
    batch = starting.open_project(cast.lea, BytesIO(packed(**pictures, **{"t.jsonl": lines})),
                                  file_name="pets.zip")  # fmt: skip
    batch = starting.begin(batch, look(batch).mapping, importing.Options(labels="truth"), cast.lea)
    run(batch.job)
    project = Project.objects.get(pk=batch.project_id)
    settling.settle_now(project)
    wished = {"format": "yolo", "images": True, "splits": {"train": 0.999, "test": 0.001}}
    snapshot = create_snapshot(project, Options.from_json(wished))
    run(snapshot.job)
    snapshot.refresh_from_db()
    assert exporting.rebuilt_sha256(snapshot) == snapshot.sha256
    names = {each["name"]: each["rows"] for each in snapshot.manifest["files"]}
    assert names == {"labels/": 2, "train.txt": 0, "test.txt": 0, "data.yaml": 0}
    data = BytesIO(exporting.path_of(snapshot).read_bytes())
    again = starting.open_project(cast.lea, data, file_name="again.zip")
    again = starting.begin(again, look(again).mapping, importing.Options(labels="truth"), cast.lea)
    run(again.job)
    again.refresh_from_db()
    assert again.report["problems"] == []
    copy = Project.objects.get(pk=again.project_id)
    settling.settle_now(copy)
    rows = [json.loads(line) for line in exported(copy, "jsonl").splitlines()]
    by_height = {row["height"]: row["boxes"] for row in rows}
    assert by_height == {40: [box], 41: [], 42: None}


def landed(project, data, name, **options):
    batch = importing.receive(project, BytesIO(data), name=name)
    assert batch.format == "marks"
    mapping = look(batch).mapping
    importing.begin(batch, mapping, importing.Options(bad_rows="skip", **options))
    batch.refresh_from_db()
    run(batch.job)
    batch.refresh_from_db()
    return batch


def coco(*images):
    """One object with a box of 10 by 10 pixels in each image, (name, width, height)."""
    return {
        "images": [{"id": at, "file_name": name, "width": w, "height": h}
                   for at, (name, w, h) in enumerate(images)],
        "categories": [{"id": 1, "name": "Cat"}],
        "annotations": [{"image_id": at, "category_id": 1, "bbox": [0, 0, 10, 10]}
                        for at in range(len(images))],
    }  # fmt: skip


def test_boxes_may_follow_their_images_and_be_taken_back(cast):
    project = of_images(cast)
    told = coco(("x/a.png", 80, 40), ("b.png", 41, 80), ("lost.png", 80, 40))
    batch = landed(project, json.dumps(told).encode(), "boxes.json", labels="truth")
    assert (batch.items_added, batch.report["answers"]) == (0, 1)
    turned, lost = (message for _, _, message in batch.report["problems"])
    assert "the image has 80 × 41" in turned
    assert "no image called lost.png" in lost
    settling.settle_now(project)
    rows = [json.loads(line) for line in exported(project, "jsonl").splitlines()]
    box = {"label": "Cat", "x": 0, "y": 0, "w": 0.125, "h": 0.25}
    assert [row["boxes"] for row in rows] == [[box], None, None]
    items = project.items.order_by("number")
    assert [item.open for item in items] == [False, True, True]
    run(undoing.undo_import(batch, cast.lea))
    settling.settle_now(project)
    rows = [json.loads(line) for line in exported(project, "jsonl").splitlines()]
    assert [row["boxes"] for row in rows] == [None, None, None]
    assert all(item.open and item.removed_at is None for item in items.all())


def of_images(cast):
    pictures = {f"{name}.png": picture(size=(80, at)) for at, name in enumerate("abc", 40)}
    batch = starting.open_project(cast.lea, BytesIO(packed(**pictures)), file_name="pets.zip")
    batch = starting.begin(batch, look(batch).mapping, importing.Options(), cast.lea,
                           task_type="boxes", labels=[("Cat", "")])  # fmt: skip
    run(batch.job)
    return Project.objects.get(pk=batch.project_id)


def test_many_files_about_one_image_weigh_less_together_than_a_person(cast):
    project = of_images(cast)
    data = json.dumps(coco(("a.png", 80, 40))).encode()
    for at in range(3):
        landed(project, data, f"boxes-{at}.json")
    weights = (
        project.annotators.filter(kind="import").order_by("pk").values_list("weight", flat=True)
    )
    assert list(weights) == [0.5, 0.25, 0.125]


def test_taking_a_file_back_reopens_only_what_it_closed(cast):
    project = of_images(cast)
    first = landed(
        project,
        json.dumps(coco(("a.png", 80, 40), ("b.png", 80, 41))).encode(),
        "1.json",
        labels="truth",
    )
    landed(project, json.dumps(coco(("a.png", 80, 40))).encode(), "2.json", labels="truth")
    votes = landed(project, json.dumps(coco(("c.png", 80, 42))).encode(), "3.json")
    project.items.filter(external_id="c.png").update(open=False)
    for batch in (first, votes):
        run(undoing.undo_import(batch, cast.lea))
    assert [item.open for item in project.items.order_by("number")] == [False, True, False]


def test_a_file_that_names_images_alone_makes_no_project_and_no_texts(cast):
    data = json.dumps(coco(("a.png", 80, 40))).encode()
    with pytest.raises(InvalidError, match="images that are not in it"):
        starting.open_project(cast.lea, BytesIO(data), file_name="boxes.json")
    project = make_project(cast)
    batch = importing.receive(project, BytesIO(data), name="boxes.json")
    with pytest.raises(InvalidError, match="has its images"):
        importing.begin(batch, look(batch).mapping, importing.Options())


def test_boxes_that_contradict_each_other_are_put_to_reviewers_in_words(cast):
    project = make_project(cast, labels=("Cat", "Dog"), task_type="boxes", item_kind="image",
                           audit_share=0)  # fmt: skip
    cat, dog = project.labels.order_by("column").values_list("pk", flat=True)
    items = make_items(project, 34)
    sides = {"x": 0.1, "y": 0.2, "w": 0.3, "h": 0.3}
    for item in items:
        boxes = [sides | {"label": cat}]
        boxes += [sides | {"label": dog}] if item == items[7] else []
        value = {"boxes": boxes}
        Verdict.objects.create(project=project, item=item, state="decided", value=value,
                               labels=[cat], voices=1, source="consensus", position=1)  # fmt: skip
    job = flagging.look_now(project, cast.ben)
    run(job)
    job.refresh_from_db()
    assert (job.result["looked"], job.result["flagged"]) == (True, 1)
    (flag,) = Flag.objects.filter(project=project, kind=FlagKind.DETECTOR)
    assert flag.item_id == items[7].pk
    assert flag.evidence[0]["words"] == (
        "Cat (10 % right, 20 % down, 30 × 30 %) and Dog are on nearly the same rectangle"
    )
