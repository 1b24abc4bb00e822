"""An engineer does all of it with a token: project, labels, file, answers, student."""

import hashlib
import io
import json
import uuid
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from annotator.actions.projects import tokens
from annotator.actions.verdicts import settling
from tests.annotator.actions.test_loop import WORDS
from tests.annotator.actions.test_loop import work as do_jobs
from tests.factories import make_user

BASE = "/api/v1/projects"


def work():
    """Do every job, find forgotten answers as the sweeper does, and do what follows."""
    do_jobs()
    settling.find_unsettled()
    do_jobs()


def rows():
    """30 distinct tickets, ten of each label."""
    for n in range(30):
        name = list(WORDS)[n % 3]
        words = WORDS[name].split()
        yield f"t{n}", f"{words[n % 7]} {words[(n * 3 + 1) % 7]} number {n}", name


def csv_file():
    lines = ["id,text,topic", *(f"{key},{text},{name}" for key, text, name in rows())]
    return SimpleUploadedFile("tickets.csv", "\n".join(lines).encode(), content_type="text/csv")


class Engineer:
    """A program with a token, which expects every answer to be as it should."""

    def __init__(self, user):
        self.client = APIClient()
        self.client.credentials(HTTP_AUTHORIZATION=f"Token {tokens.create_token(user)[1]}")

    def __call__(self, method, path, body=None, *, expect=200, **options):
        if options:
            answer = getattr(self.client, method)(path, body, **options)
        else:
            answer = getattr(self.client, method)(path, body, format="json")
        assert answer.status_code == expect, answer.content
        return answer.json() if answer.get("Content-Type") == "application/json" else answer


@pytest.fixture
def engineer(db):
    return Engineer(make_user("eva"))


def make_filled_project(engineer, **settings):
    wish = {"name": "Tickets", "encoder": "tfidf-svd", "retrain_answers": 5, **settings}
    project = engineer("post", BASE, wish, expect=201)
    here = f"{BASE}/{project['id']}"
    for name in WORDS:
        engineer("post", f"{here}/labels", {"name": name, "description": WORDS[name]}, expect=201)
    uploaded = engineer(
        "post", f"{here}/imports", {"file": csv_file()}, expect=201, format="multipart"
    )
    batch = f"{here}/imports/{uploaded['id']}"
    look = engineer("post", f"{batch}/preview", {})
    assert look["mapping"]["text"] == "text"
    assert look["complete"] is True
    for part, key in (("mapping", "txt"), ("options", "duplicate")):
        refused = engineer("post", f"{batch}/start", {part: {key: "text"}}, expect=422)
        assert refused["field"] == f"{part}.{key}"
        assert "There is no such key; there are: " in refused["detail"]
    mapping = {"text": "text", "id": "id", "metadata": ["topic"]}
    engineer("post", f"{batch}/start", {"mapping": mapping}, expect=202)
    work()
    done = engineer("get", batch)
    assert (done["state"], done["items_added"]) == ("done", 30)
    return here


def label_all(engineer, here, count):
    """Answer `count` items, each with the next one in the same request; the topic is the truth."""
    leases = engineer("post", f"{here}/next", {"count": 1})["leases"]
    stored = []
    for _ in range(count):
        lease = leases[0]
        wish = {
            "kind": "answer",
            "uuid": str(uuid.uuid4()),
            "assignment": lease["id"],
            "labels": [lease["item"]["meta"]["topic"].lower()],
            "seconds": 1.5,
            "next": 1,
        }
        answer = engineer("post", f"{here}/answers", wish, expect=201)
        stored.append(answer["annotation"])
        leases = answer["leases"]
    return stored, leases


@pytest.mark.django_db(transaction=True)
class TestEngineer:
    def test_labels_and_gets_a_student(self, engineer):
        here = make_filled_project(engineer)
        stored, leases = label_all(engineer, here, 20)
        work()
        assert len({each["item_id"] for each in stored}) == 20
        assert len(leases) == 1
        progress = engineer("get", f"{here}/progress")
        assert progress["counts"]["answers"] == 20
        assert progress["counts"]["decided"] == 20
        assert sum(progress["labels"].values()) == 20
        assert progress["annotators"][0]["median_seconds"] == 1.5
        students = engineer("get", f"{here}/students")["results"]
        assert students[0]["current"] is True
        assert students[0]["accuracy"] is not None
        assert [point["student"] for point in progress["curve"]]
        verdicts = engineer("get", f"{here}/verdicts?label=billing")["results"]
        assert {each["state"] for each in verdicts} == {"decided"}
        found = engineer("get", f"{here}/items?query=invoice")["results"]
        assert found
        assert all("invoice" in item["text"] for item in found)

    def test_exports_what_was_labelled(self, engineer):
        here = make_filled_project(engineer)
        stored, _ = label_all(engineer, here, 12)
        wish = {"format": "jsonl", "contents": ["verdicts", "annotations"], "only_decided": True}
        made = engineer("post", f"{here}/snapshots", wish, expect=202)
        one = f"{here}/snapshots/{made['id']}"
        engineer("get", f"{one}/download", expect=404)
        work()
        ready = engineer("get", one)
        assert ready["state"] == "ready"
        answer = engineer("get", f"{one}/download")
        assert answer["Content-Disposition"].startswith("attachment")
        assert answer["X-Content-Type-Options"] == "nosniff"
        content = b"".join(answer.streaming_content)
        assert hashlib.sha256(content).hexdigest() == ready["sha256"]
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            manifest = json.loads(archive.read("manifest.json"))
            items = [json.loads(line) for line in archive.read("items.jsonl").splitlines()]
            said = archive.read("annotations.jsonl").splitlines()
            for file in manifest["files"]:
                assert hashlib.sha256(archive.read(file["name"])).hexdigest() == file["sha256"]
        assert manifest["ledger"]["position"] == ready["position"] == 12
        assert {item["number"] for item in items} == {
            engineer("get", f"{here}/items/{each['item_id']}")["number"] for each in stored
        }
        assert all(item["label"] == item["meta"]["topic"] for item in items)
        assert len(said) == 12
        again = engineer("post", f"{here}/snapshots", wish, expect=202)
        work()
        second = engineer("get", f"{here}/snapshots/{again['id']}")
        assert [x["sha256"] for x in second["manifest"]["files"]] == [
            x["sha256"] for x in ready["manifest"]["files"]
        ]
        refused = engineer("post", f"{here}/snapshots", {"splits": {"train": 0.5}}, expect=422)
        assert refused["field"] == "splits"

    def test_a_replayed_answer_is_the_first_one(self, engineer):
        here = make_filled_project(engineer)
        lease = engineer("post", f"{here}/next", {})["leases"][0]
        wish = {"uuid": str(uuid.uuid4()), "assignment": lease["id"], "labels": ["login"]}
        first = engineer("post", f"{here}/answers", wish, expect=201)
        again = engineer("post", f"{here}/answers", {**wish, "labels": ["billing"]}, expect=201)
        assert again["annotation"] == first["annotation"]
        assert len(engineer("get", f"{here}/annotations?mine=true")["results"]) == 1

    def test_skips_takes_back_and_changes(self, engineer):
        here = make_filled_project(engineer)
        stored, leases = label_all(engineer, here, 1)
        skip = {"kind": "skip", "uuid": str(uuid.uuid4()), "assignment": leases[0]["id"]}
        engineer("post", f"{here}/answers", {**skip, "reason": "I cannot tell"}, expect=201)
        change = {
            "kind": "revise",
            "uuid": str(uuid.uuid4()),
            "annotation": stored[0]["uuid"],
            "labels": ["delivery"],
        }
        changed = engineer("post", f"{here}/answers", change, expect=201)["annotation"]
        assert changed["previous"] == stored[0]["uuid"]
        back = {"kind": "retract", "uuid": str(uuid.uuid4()), "annotation": changed["uuid"]}
        answer = engineer("post", f"{here}/answers", back, expect=201)
        assert answer["annotation"] is None
        assert answer["leases"][0]["item"]["id"] == stored[0]["item_id"]
        kinds = [each["kind"] for each in engineer("get", f"{here}/annotations")["results"]]
        assert kinds == ["retraction", "answer", "skip", "answer"]
        missing = engineer(
            "post", f"{here}/answers", {"kind": "skip", "uuid": str(uuid.uuid4())}, expect=422
        )
        assert missing["field"] == "assignment"

    def test_holds_renews_and_releases(self, engineer):
        here = make_filled_project(engineer)
        first = engineer("post", f"{here}/next", {"count": 3})
        ids = [lease["id"] for lease in first["leases"]]
        assert len(ids) == 3
        again = engineer("post", f"{here}/next", {"count": 3})
        assert again["leases"] == []
        assert [lease["id"] for lease in again["held"]] == ids
        assert [x["id"] for x in engineer("get", f"{here}/leases")["results"]] == ids
        assert engineer("post", f"{here}/leases/renew", {"leases": ids}) == {"alive": 3}
        assert engineer("post", f"{here}/leases/release", {"leases": ids}) == {"released": 3}
        assert engineer("get", f"{here}/leases")["results"] == []

    def test_pages_items_by_cursor(self, engineer):
        here = make_filled_project(engineer)
        numbers, address = [], f"{here}/items?limit=7"
        while address:
            page = engineer("get", address)
            numbers += [item["number"] for item in page["results"]]
            address = page["next"]
        assert numbers == list(range(30))
        some = engineer("get", f"{here}/items?number_from=5&number_to=8&open=true")["results"]
        assert [item["number"] for item in some] == [5, 6, 7, 8]
        assert engineer("get", f"{here}/items?external_id=t9")["results"][0]["number"] == 9

    def test_bad_rows_are_reported_and_decided(self, engineer):
        project = engineer("post", BASE, {"name": "Rows"}, expect=201)
        here = f"{BASE}/{project['id']}"
        file = SimpleUploadedFile("rows.csv", b"text,id\ngood one,1\n,2\nanother,3\n")
        uploaded = engineer(
            "post", f"{here}/imports", {"file": file}, expect=201, format="multipart"
        )
        batch = f"{here}/imports/{uploaded['id']}"
        engineer("post", f"{batch}/start", {"mapping": {"text": "text", "id": "id"}}, expect=202)
        work()
        waiting = engineer("get", batch)
        assert waiting["state"] == "needs_decision"
        assert "text" in json.dumps(waiting["report"])
        engineer("post", f"{batch}/decide", {"decision": "rest"})
        work()
        assert engineer("get", batch)["items_added"] == 2
        engineer("post", f"{batch}/undo", expect=202)
        work()
        assert engineer("get", f"{here}/items")["results"] == []

    def test_a_file_that_is_none_of_ours(self, engineer):
        project = engineer("post", BASE, {"name": "Rows"}, expect=201)
        file = SimpleUploadedFile("a.pdf", b"%PDF-1.4 nothing")
        refused = engineer(
            "post",
            f"{BASE}/{project['id']}/imports",
            {"file": file},
            expect=422,
            format="multipart",
        )
        assert refused["field"] == "file"
        assert "PDF" in refused["detail"]

    def test_students_are_promoted_unpinned_and_asked(self, engineer, monkeypatch):
        import numpy as np

        here = make_filled_project(engineer)
        label_all(engineer, here, 12)
        work()
        student = engineer("get", f"{here}/students")["results"][0]
        engineer("post", f"{here}/students/{student['id']}/promote")
        assert engineer("get", here)["student_pinned"] is True
        assert engineer("post", f"{here}/students/unpin")["student_pinned"] is False
        asked = {}

        def answer(texts, **options):
            asked.update(options)
            return np.array([[0.2, 0.5, 0.3]] * len(texts), dtype=np.float32)

        monkeypatch.setattr("annotator.runtime.modelclient.predict", answer)
        guess = engineer("post", f"{here}/predict", {"texts": ["late parcel"]})["results"][0]
        assert [round(p, 3) for _, p in guess["labels"]] == [0.5, 0.3, 0.2]
        assert asked["student"].startswith("students/")
        assert asked["folder"].startswith("matrices/")
        job = engineer("post", f"{here}/students/finetune", {"params": {}}, expect=202)
        assert job["kind"] == "finetune"
        engineer("post", f"{here}/students/finetune", {"params": {}}, expect=409)
        refused = engineer("post", f"{here}/students/finetune", {"params": {"x": 1}}, expect=422)
        assert refused["field"] == "params"
        much = engineer(
            "post", f"{here}/students/finetune", {"params": {"learning_rate": 1e9}}, expect=422
        )
        assert "learning_rate must be above 0 and at most 1" in much["detail"]
        cancelled = engineer("post", f"{here}/jobs/{job['id']}/cancel", expect=202)
        assert cancelled["state"] == "cancelled"

    def test_similar_items_and_all_hits_at_once(self, engineer):
        here = make_filled_project(engineer, audit_share=0)
        near = engineer("get", f"{here}/items?query=invoice")["results"][0]
        similar = engineer("get", f"{here}/items/{near['id']}/similar?count=5")
        assert len(similar["results"]) == 5
        wish = {"filter": {"query": "number"}, "labels": ["login"]}
        assert engineer("post", f"{here}/bulk/preview", wish)["fresh"] == 30
        job = engineer("post", f"{here}/bulk", wish, expect=202)
        work()
        assert engineer("get", f"{here}/progress")["counts"]["decided"] == 30
        engineer("post", f"{here}/bulk/{job['id']}/undo", expect=202)
        work()
        assert engineer("get", f"{here}/progress")["counts"]["decided"] == 0
        engineer("post", f"{here}/bulk", {"filter": {}, "labels": ["login"]}, expect=422)


@pytest.mark.django_db(transaction=True)
class TestProjects:
    def test_settings_labels_and_deletion(self, engineer):
        project = engineer("post", BASE, {"name": "Topics"}, expect=201)
        here = f"{BASE}/{project['id']}"
        assert project["role"] == "owner"
        assert engineer("patch", here, {"overlap": 3})["overlap"] == 3
        ids = [
            engineer("post", f"{here}/labels", {"name": name}, expect=201)["id"] for name in "ABC"
        ]
        order = engineer("put", f"{here}/labels/order", {"labels": ids[::-1]})["results"]
        assert [label["name"] for label in order] == ["C", "B", "A"]
        assert engineer("patch", f"{here}/labels/{ids[0]}", {"name": "Alpha"})["key"] == "a"
        engineer("post", f"{here}/labels/{ids[1]}/archive")
        assert len(engineer("get", f"{here}/labels")["results"]) == 2
        assert len(engineer("get", f"{here}/labels?archived=true")["results"]) == 3
        engineer("post", f"{here}/labels/{ids[1]}/restore")
        engineer("delete", here, expect=204)
        engineer("get", here, expect=404)
        assert engineer("get", f"{BASE}?deleted=true")["results"][0]["id"] == project["id"]
        engineer("post", f"{here}/restore")
        assert engineer("get", here)["name"] == "Topics"

    def test_invitations_members_and_leaving(self, engineer):
        project = engineer("post", BASE, {"name": "Topics"}, expect=201)
        here = f"{BASE}/{project['id']}"
        made = engineer("post", f"{here}/invitations", {"role": "reviewer"}, expect=201)
        assert "secret" not in engineer("get", f"{here}/invitations")["results"][0]
        guest = Engineer(make_user("gus"))
        joined = guest("post", "/api/v1/invitations/accept", {"secret": made["secret"]})
        assert joined["role"] == "reviewer"
        guest("post", f"{here}/invitations", {}, expect=403)
        member = f"{here}/members/{joined['id']}"
        assert engineer("patch", member, {"role": "annotator", "quota": 5})["quota"] == 5
        assert engineer("patch", member, {"quota": None})["role"] == "annotator"
        assert engineer("post", f"{member}/reset-link", expect=201)["secret"]
        guest("delete", member, expect=204)
        guest("get", here, expect=404)
        engineer("delete", f"{here}/invitations/{made['id']}", expect=204)

    def test_review_settles_flags(self, engineer):
        here = make_filled_project(engineer)
        stored, _ = label_all(engineer, here, 1)
        item = stored[0]["item_id"]
        engineer("post", f"{here}/flags", {"item": item, "reason": "Odd"}, expect=201)
        assert [x["id"] for x in engineer("get", f"{here}/review")["results"]] == [item]
        word = {"uuid": str(uuid.uuid4()), "item": item, "labels": ["login"]}
        engineer("post", f"{here}/review", word, expect=201)
        work()
        verdict = engineer("get", f"{here}/items/{item}")["verdict"]
        assert verdict["source"] == "reviewer"
        assert engineer("get", f"{here}/flags?state=open")["results"] == []
        engineer("post", f"{here}/flags", {"item": item}, expect=201)
        assert engineer("post", f"{here}/flags/settle", {"item": item}) == {"settled": 1}
