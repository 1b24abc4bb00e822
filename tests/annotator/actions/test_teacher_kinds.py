"""Students and committees as teachers of a project."""

import io

import numpy as np
import pytest

from annotator import jobs
from annotator.actions.desk import assigning
from annotator.actions.encoders import encoding
from annotator.actions.imports import media, recordings
from annotator.actions.teachers import foretelling, teacher_runs, teachers
from annotator.errors import ConflictError, InvalidError
from annotator.models import Item, Label, Part, Project, StudentVersion, Teacher, TeacherAnswer
from tests.annotator.actions.test_loop import label_some, make_pool, work
from tests.annotator.audited import answer_all
from tests.annotator.teaching import teacher_on, work_off
from tests.contracts.plugins import three_colours
from tests.factories import make_items, make_project
from tests.llm import plays
from tests.llm.loopback import Loopback

pytestmark = pytest.mark.django_db(transaction=True)


def taught(cast):
    """A project with a promoted student."""
    small = {"components": 16, "features": 4096}
    project, truth, _ = make_pool(cast, 60, encoder_params=small)
    encoding.wish_encoding(project)
    work()
    label_some(project, assigning.voice_of(project, cast.ana), truth, 24)
    work()
    project.refresh_from_db()
    assert project.current_student is not None
    return project


def recorded(project, answers, model="m"):
    """A teacher that says this about these item numbers."""
    lines = ["number,label,confidence,model"]
    lines += [f"{number},{label},0.9,{model}" for number, label in answers.items()]
    file = io.BytesIO("\n".join(lines).encode())
    made = recordings.receive(project, file, None, name=f"{model}.csv")
    made = recordings.begin(made, recordings.look(made).mapping)
    jobs.execute(made.job_id)
    return Teacher.objects.get(recording=made)


class TestStudents:
    def test_a_student_answers_in_another_project_by_the_names_of_its_labels(self, cast):
        source = taught(cast)
        other = make_project(cast, labels=("billing", "Shipping", "Praise"), audit_share=0)
        texts = ["invoice payment refund money", "parcel courier late tracking", "password locked"]
        make_items(other, texts)
        teacher = teachers.create_teacher(
            other,
            cast.lea,
            name="From tickets",
            plugin="student",
            source=source,
            params={"mapping": {"Delivery": "Shipping"}},
        )
        run = work_off(teacher_runs.start_run(other, teacher, cast.lea, 3))
        assert run.state == "done", run.error
        assert run.basis == {"student": source.current_student_id}
        rows = {row.item.number: row for row in TeacherAnswer.objects.select_related("item")}
        names = dict(Label.objects.values_list("pk", "name"))
        assert [names[rows[n].labels[0]] for n in (0, 1)] == ["billing", "Shipping"]
        assert "Login" in rows[2].abstained, "what it thinks of is no label here"
        self.check_that_a_run_keeps_to_its_student(source, teacher)

    def check_that_a_run_keeps_to_its_student(self, source, teacher):
        make_items(teacher.project, 3, seed=8)
        run = teacher_runs.start_run(teacher.project, teacher, None, 3)
        later = StudentVersion.objects.create(project=source, number=99, kind="head")
        Project.objects.filter(pk=source.pk).update(current_student=later)
        assert work_off(run).state == "done"
        fresh = Teacher.objects.get(pk=teacher.pk)
        with pytest.raises(ConflictError, match="no student"):
            teacher_runs.try_on(teacher.project, fresh, None, 3)

    def test_only_projects_that_one_may_see_lend_their_student(self, cast):
        source = make_project(cast)
        other = make_project(cast)
        with pytest.raises(InvalidError, match="may not see"):
            teachers.create_teacher(other, cast.cleo, name="A", plugin="student", source=source)
        with pytest.raises(InvalidError, match="Choose the project"):
            teachers.create_teacher(other, cast.lea, name="A", plugin="student")
        teacher = teachers.create_teacher(
            other, cast.lea, name="A", plugin="student", source=source
        )
        make_items(other, 3)
        with pytest.raises(ConflictError, match="no student yet"):
            teacher_runs.start_run(other, teacher, cast.lea, 3)
        assert other.teachers.count() == 1

    def test_a_student_of_texts_is_not_asked_about_images_nor_the_other_way(self, cast):
        tickets = taught(cast)
        photos = make_project(cast, name="Photos", item_kind="image", encoder="pixels-pca")
        for project, source in ((photos, tickets), (tickets, photos)):
            with pytest.raises(
                InvalidError, match="only one of the two projects has images"
            ) as refused:
                teachers.create_teacher(
                    project, cast.lea, name="A", plugin="student", source=source
                )
            assert refused.value.data == {"field": "source"}
        teacher = teachers.create_teacher(
            photos, cast.lea, name="A", plugin="student", source=photos
        )
        Teacher.objects.filter(pk=teacher.pk).update(source=tickets)  # as before that was refused
        (item,) = make_items(photos, 1)
        image = media.store_image(photos.pk, three_colours(1)[0][0], "png")
        Item.objects.filter(pk=item.pk).update(image=image, text="")
        teacher = Teacher.objects.get(pk=teacher.pk)
        with pytest.raises(ConflictError, match="only one of the two projects has images"):
            teacher_runs.start_run(photos, teacher, cast.lea, 1)


class TestCommittees:
    def test_audits_decide_whom_to_believe(self, cast):
        project = make_project(cast, audit_share=0)
        items = make_items(project, 60)
        names = ["Billing", "Delivery", "Login"]
        true = {n: names[n % 3] for n in range(60)}
        good = recorded(project, true, "good")
        bad = recorded(project, {n: names[(n + 1) % 3] for n in range(60)}, "bad")
        ids = {label.name: label.pk for label in project.labels.all()}
        audited = items[:30]
        ana = assigning.voice_of(project, cast.ana)
        answer_all(project, ana, audited, [ids[true[item.number]] for item in audited])
        project.items.filter(number__lt=30).update(part=Part.SEED, order_key=0.0001)
        project.items.filter(number__gte=30).update(part="", order_key=0.9)
        for member in (good, bad):
            work_off(teacher_runs.start_run(project, member, None, 60, pool="answered"))
        both = teachers.create_teacher(
            project, cast.lea, name="Both", plugin="committee", members=[good, bad]
        )
        run = work_off(teacher_runs.start_run(project, both, None, 30))
        assert (run.state, run.answered) == ("done", 30), run.error
        rows = TeacherAnswer.objects.filter(run=run).select_related("item")
        right = sum(row.labels == [ids[true[row.item.number]]] for row in rows)
        assert right == 30, "one that is always wrong in the same way tells as much as the other"
        assert run.basis["members"] == {
            str(good.pk): [good.params, {}],
            str(bad.pk): [bad.params, {}],
        }

    def test_members_that_err_apart_make_it_surer_than_any_of_them(self, cast):
        project = make_project(cast, audit_share=0)
        items = make_items(project, 300)
        names = ["Billing", "Delivery", "Login"]
        true = {n: names[n % 3] for n in range(300)}
        dice = np.random.default_rng(5)

        def guesses():
            slips = np.where(dice.random(300) < 0.25, dice.integers(1, 3, size=300), 0)
            return {n: names[(n + slips[n]) % 3] for n in range(300)}

        members = [recorded(project, guesses(), name) for name in ("one", "two", "three")]
        ids = {label.name: label.pk for label in project.labels.all()}
        ana = assigning.voice_of(project, cast.ana)
        audited = items[:150]
        answer_all(project, ana, audited, [ids[true[item.number]] for item in audited])
        project.items.filter(number__lt=150).update(part=Part.SEED, order_key=0.0001)
        project.items.filter(number__gte=150).update(part="", order_key=0.9)
        for member in members:
            work_off(teacher_runs.start_run(project, member, None, 300, pool="answered"))
        both = teachers.create_teacher(
            project, cast.lea, name="All", plugin="committee", members=members
        )
        run = work_off(teacher_runs.start_run(project, both, None, 150))
        rows = list(TeacherAnswer.objects.filter(run=run).select_related("item"))
        right = np.mean([row.labels == [ids[true[row.item.number]]] for row in rows])
        sure = np.mean([row.confidence for row in rows])
        assert sure == pytest.approx(right, abs=0.06)
        assert sure > 0.8, "one voice of the three is right in three cases of four"

    def test_members_that_call_are_capped_estimated_and_switched_off(self, cast):
        with Loopback(plays.good) as server:
            project, asked = teacher_on(server, cast)
            names = recorded(project, dict.fromkeys(range(12), "Login"))
            both = teachers.create_teacher(
                project, cast.lea, name="Both", plugin="committee", members=[asked, names],
                cap_run=1_000,
            )  # fmt: skip
            numbers = teacher_runs.drawn(project, both, 12)
            assert foretelling.estimate(both, numbers) == foretelling.estimate(asked, numbers)
            run = work_off(teacher_runs.start_run(project, both, None, 6))
            assert (run.state, run.answered) == ("done", 6), run.error
            assert run.spent > 0
            assert len(server.requests) == 6
            teachers.change_teacher(asked, cast.lea, enabled=False)
            with pytest.raises(ConflictError, match="Fake is switched off"):
                teacher_runs.start_run(project, both, None, 6)

    def test_a_fault_of_a_member_is_told_and_its_items_are_asked_again(self, cast):
        with Loopback(plays.error(401)) as server:
            project, asked = teacher_on(server, cast)
            names = recorded(project, dict.fromkeys(range(12), "Login"))
            both = teachers.create_teacher(
                project, cast.lea, name="Both", plugin="committee", members=[asked, names]
            )
            run = work_off(teacher_runs.start_run(project, both, None, 12))
            row = TeacherAnswer.objects.filter(run=run).first()
            assert row is None or "refuses the key" in row.abstained or run.error
            assert len(teacher_runs.drawn(project, both, 12)) == 12

    def test_what_cannot_be_a_member_is_refused(self, cast):
        project, other = make_project(cast), make_project(cast)
        one = teachers.create_teacher(project, None, name="A", plugin="zero-shot")
        two = teachers.create_teacher(project, None, name="B", plugin="zero-shot")
        far = teachers.create_teacher(other, None, name="C", plugin="zero-shot")
        wish = {"name": "D", "plugin": "committee"}
        for members in ([], [one], [one, one], [one, far]):
            with pytest.raises(InvalidError):
                teachers.create_teacher(project, None, **wish, members=members)
        made = teachers.create_teacher(project, None, **wish, members=[one, two])
        with pytest.raises(InvalidError, match="another one"):
            teachers.create_teacher(
                project, None, name="E", plugin="committee", members=[one, made]
            )
        with pytest.raises(InvalidError, match="Only a committee"):
            teachers.change_teacher(one, None, members=[two])
        teachers.change_teacher(made, None, members=[two, one], name="Changed")
        assert made.members.count() == 2
