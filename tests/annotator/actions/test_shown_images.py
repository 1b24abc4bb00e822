"""Students of images have a word on images that are no items: shown on the page, sent to the API."""

import base64
import io
import json
import time

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from annotator.actions.encoders.encoding import students_folder
from annotator.actions.imports import media
from annotator.actions.students import looked_at, teaching
from annotator.errors import InvalidError
from annotator.models import StudentVersion
from annotator.runtime import modelclient, modelserver
from learning.students.predictions import read_predictions
from tests.annotator.actions.test_image_students import (
    make_photos,
    photos,  # noqa: F401 - a fixture
    tune,
)
from tests.annotator.actions.test_loop import WORDS
from tests.annotator.pages import Client
from tests.contracts.plugins import three_colours
from tests.factories import make_project
from tests.tiny_models import tiny_vision

pytestmark = pytest.mark.django_db(transaction=True)

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(autouse=True)
def answering(settings, monkeypatch):
    """The model process, in this one: what goes over the wire is JSON here too."""
    answerer = modelserver.Answerer(settings.DATA_DIR)
    asked = []

    class Wire(modelclient._Connection):
        def __enter__(self):
            self.stream = io.BytesIO()
            return self

        def ask(self, request):
            asked.append(json.loads(json.dumps(request)))
            for _ in range(200):
                answer = answerer.answer(asked[-1])
                if answer["status"] != "starting":
                    break
                time.sleep(0.05)
            if answer["status"] == "refused":
                raise InvalidError(answer["detail"])
            return answer

    monkeypatch.setattr(modelclient, "_Connection", Wire)
    return asked


def files_of(project):
    return [media.read_image(project.pk, item.image) for item in project.items.order_by("number")]


def in_base64(*files):
    return [base64.b64encode(each).decode() for each in files]


def send(user, project, **body):
    client = Client()
    client.force_login(user)
    return client.post(f"/api/v1/projects/{project.pk}/predict", body, "application/json")


def show(user, project, content=b"", name="mine.png", *, part=True, **form):
    client = Client()
    client.force_login(user)
    given = {"image": SimpleUploadedFile(name, content)} if content else {}
    headers = {"HTTP_HX_REQUEST": "true"} if part else {}
    return client.post(f"/projects/{project.pk}/students/try", {**form, **given}, **headers)


def picture(size=(8, 6), format="PNG", **options):
    out = io.BytesIO()
    Image.new("RGB", size, (230, 40, 40)).save(out, format, **options)
    return out.getvalue()


class TestApi:
    @pytest.mark.parametrize("kind", ["head", "image-finetune"])
    def test_an_image_of_the_pool_gets_the_same_word_as_in_the_pool(
        self,
        photos,  # noqa: F811
        cast,
        kind,
    ):
        project, _ = photos
        if kind != "head":
            tune(project)
        version = StudentVersion.objects.filter(project=project, kind=kind).last()
        pool = read_predictions(students_folder(project.pk) / version.folder / "pool")
        told = send(
            cast.lea, project, images=in_base64(*files_of(project)[:12]), student=version.pk
        ).json()
        assert told["number"] == version.number
        for number, result in enumerate(told["results"]):
            said = dict(zip(version.label_ids, pool.row(number), strict=True))
            shares = [share for _, share in result["labels"]]
            assert shares == sorted(shares, reverse=True)
            np.testing.assert_allclose(
                [share for _, share in result["labels"]],
                [said[label] for label, _ in result["labels"]],
                atol=1e-3,  # the pool's vectors are kept in 16 bits
            )

    @pytest.mark.parametrize("task", ["multi", "rating"])
    def test_several_labels_and_grades_have_a_word_too(self, cast, task):
        project, _ = make_photos(cast, task_type=task)
        red, green, _ = three_colours(3, seed=9)[0]
        told = send(cast.lea, project, images=in_base64(red, green), top=1).json()
        names = [told["names"][str(result["labels"][0][0])] for result in told["results"]]
        assert names == list(WORDS)[:2]

    def test_a_vision_model_encodes_images_that_are_no_items(self, cast, tmp_path):
        name = tiny_vision(tmp_path / "eyes", "dinov2")
        project, _ = make_photos(cast, encoder="vision", encoder_params={"name": str(name)})
        version = project.students.last()
        pool = read_predictions(students_folder(project.pk) / version.folder / "pool")
        told = send(cast.lea, project, images=in_base64(files_of(project)[1])).json()
        said = dict(zip(version.label_ids, pool.row(1), strict=True))
        assert dict(told["results"][0]["labels"]) == pytest.approx(said, abs=1e-3)

    def test_a_photo_is_read_as_an_import_reads_it_whatever_its_format(self, photos, cast):  # noqa: F811
        project, _ = photos
        red = files_of(project)[0]
        exif = Image.Exif()
        exif[0x0112] = 6  # lies on its side
        out = io.BytesIO()
        lying = Image.open(io.BytesIO(red)).convert("RGB").transpose(Image.Transpose.ROTATE_90)
        lying.save(out, "WEBP", lossless=True, exif=exif)
        wrapped = base64.encodebytes(out.getvalue()).decode()
        one, other = send(cast.lea, project, images=[*in_base64(red), wrapped]).json()["results"]
        assert one == other

    def test_the_wrong_kind_of_item_is_refused_in_a_sentence(self, photos, cast):  # noqa: F811
        project, _ = photos
        told = send(cast.lea, project, texts=["red"])
        assert told.status_code == 422
        assert told.json()["detail"] == "The items of this project are images: ask about images."
        image = in_base64(picture())
        for body in ({}, {"texts": ["red"], "images": image}):
            told = send(cast.lea, project, **body)
            assert (told.status_code, "one of the two" in told.content.decode()) == (422, True)
        texts = make_project(cast, name="Tickets")
        told = send(cast.lea, texts, images=image)
        assert told.json()["detail"] == "The items of this project are texts: ask about texts."

    @pytest.mark.parametrize(
        ("sent", "told"),
        [
            ("%%%", "Image 1 (from 0) is not written in base64."),
            (*in_base64(b"id,text\n1,a\n"), "Image 1 (from 0): This is no image that is taken"),
            (*in_base64(SVG), "Image 1 (from 0): SVG can carry scripts"),
            (
                *in_base64(three_colours(1)[0][0][:200]),
                "Image 1 (from 0): The image is damaged or cut short.",
            ),
            (*in_base64(picture(format="BMP")), "Image 1 (from 0): This is no image that is taken"),
            (*in_base64(picture((8000, 4000))), "Image 1 (from 0): The image has 8,000 × 4,000"),
        ],
        ids=["no base64", "a table", "svg", "cut short", "bmp", "a bomb"],
    )
    def test_what_is_no_image_is_named_with_the_reason(self, photos, cast, answering, sent, told):  # noqa: F811
        project, _ = photos
        said = send(cast.lea, project, images=[*in_base64(picture()), sent])
        assert said.status_code == 422
        assert said.json()["detail"].startswith(told)
        assert answering == []

    def test_too_many_and_too_much_together_are_refused(self, photos, cast, monkeypatch):  # noqa: F811
        project, _ = photos
        image = in_base64(picture())
        assert send(cast.lea, project, images=image * 16).status_code == 200
        assert send(cast.lea, project, images=image * 17).status_code == 422
        assert send(cast.lea, project, images=[]).status_code == 422
        assert send(cast.lea, project, images=["a" * (17 << 20)]).status_code == 413
        monkeypatch.setattr(looked_at, "MOST_TOGETHER", 100)
        told = send(cast.lea, project, images=image * 3)
        assert "more than 100 pixels together; ask about them in parts" in told.json()["detail"]

    def test_large_images_are_looked_at_in_turns(self, photos, cast, answering):  # noqa: F811
        project, _ = photos
        send(cast.lea, project, images=in_base64(*[picture((2000, 1500))] * 3, *[picture()] * 10))
        assert [len(each["images"]) for each in answering] == [1, 1, 8, 3]

    def test_one_questions_images_are_decoded_at_a_time(self, photos, cast):  # noqa: F811
        project, _ = photos
        with looked_at._place:
            told = send(cast.lea, project, images=in_base64(picture()))
        assert (told.status_code, told.json()["code"]) == (503, "model_busy")
        assert send(cast.lea, project, images=in_base64(picture())).status_code == 200

    def test_a_student_that_is_deleted_while_it_is_asked_says_so(self, photos, cast, monkeypatch):  # noqa: F811
        project, _ = photos

        def refuse(items, **_):
            StudentVersion.objects.filter(project=project).update(folder="")
            raise InvalidError("The model could not be loaded: no such folder.")

        monkeypatch.setattr(teaching.modelclient, "predict", refuse)
        told = send(cast.lea, project, images=in_base64(picture()))
        assert told.status_code == 409
        assert "was deleted, or its files were removed, just now" in told.json()["detail"]

    def test_who_may_not_see_the_project_learns_nothing(self, photos, cast):  # noqa: F811
        project, _ = photos
        assert send(cast.cleo, project, images=in_base64(picture())).status_code == 404
        assert send(cast.ana, project, images=in_base64(picture())).status_code == 403
        assert show(cast.cleo, project, picture()).status_code == 404
        assert send(cast.ben, project, images=in_base64(picture())).status_code == 200


class TestTryIt:
    def test_an_image_is_chosen_on_the_page_and_the_likeliest_labels_come_first(self, photos, cast):  # noqa: F811
        project, _ = photos
        client = Client()
        client.force_login(cast.lea)
        page = client.get(f"/projects/{project.pk}/students").content.decode()
        assert 'hx-encoding="multipart/form-data"' in page
        assert 'type="file" id="image"' in page
        assert "Label a whole file" in page
        green = three_colours(2, seed=9)[0][1]
        told = show(cast.lea, project, green, "<b>.png")
        assert told.context["bars"][0][0].name == list(WORDS)[1]
        part = told.content.decode()
        assert "says of &lt;b&gt;.png" in part
        assert "Which words say so?" not in part
        assert "<html" not in part
        whole = show(cast.lea, project, green, part=False).content.decode()
        assert "<html" in whole
        assert 'enctype="multipart/form-data"' in whole

    def test_any_version_is_shown_an_image_on_its_own_page(self, photos, cast):  # noqa: F811
        project, _ = photos
        version = tune(project)
        client = Client()
        client.force_login(cast.lea)
        page = client.get(f"/projects/{project.pk}/students/{version.number}").content.decode()
        assert f'value="{version.number}"' in page
        assert 'type="file" id="image"' in page
        told = show(cast.lea, project, picture(), number=version.number)
        assert f"What student {version.number} says of mine.png" in told.content.decode()

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (b"", "Choose an image."),
            (b"id,text\n1,a\n", "mine.png: This is no image that is taken (PNG, JPEG, WebP, GIF)."),
            (SVG, "mine.png: SVG can carry scripts and is not taken; convert it to PNG."),
            (picture((8000, 4000)), "mine.png: The image has 8,000 × 4,000 pixels"),
        ],
        ids=["nothing", "a table", "svg", "a bomb"],
    )
    def test_what_is_no_image_is_refused_on_the_page(self, photos, cast, content, told):  # noqa: F811
        project, _ = photos
        part = show(cast.lea, project, content)
        assert part.status_code == 200
        assert told in part.content.decode()
        assert show(cast.lea, project, content, part=False).status_code == 422

    def test_an_image_that_is_too_large_is_not_read_whole(self, photos, cast, monkeypatch):  # noqa: F811
        project, _ = photos
        part = show(cast.lea, project, b"\x89PNG" + b"\0" * (33 << 20)).content.decode()
        assert "The file is larger than 33,554,432 bytes." in part

    def test_the_page_asks_again_with_the_image_while_the_model_starts(
        self,
        photos,  # noqa: F811
        cast,
        monkeypatch,
    ):
        project, _ = photos

        def starting(*_, **__):
            raise modelclient.ModelStartingError("The model is starting.")

        monkeypatch.setattr(teaching.modelclient, "predict", starting)
        part = show(cast.lea, project, picture()).content.decode()
        assert "#image" in part
        assert 'hx-encoding="multipart/form-data"' in part

    def test_words_are_asked_of_texts_alone(self, photos, cast):  # noqa: F811
        project, _ = photos
        client = Client()
        client.force_login(cast.lea)
        part = client.post(
            f"/projects/{project.pk}/students/explain",
            {"text": "two words"},
            HTTP_HX_REQUEST="true",
        ).content.decode()
        assert "The items of this project are images: ask about images." in part
