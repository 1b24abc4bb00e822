"""A form whose questions are written to, and answers to it."""

from uuid import uuid4

from annotator.actions.desk import assigning, labeling
from annotator.actions.desk.assigning import voice_of
from annotator.actions.projects import form_questions, projects
from annotator.models import Project, Role
from tests.annotator.actions.test_forms import add, ids
from tests.factories import join

KETTLE = "The kettle leaks"
HOSTILE = '<b>Ada</b> & “Bob” 👩‍👩‍👧 שלום\n=1+1, "x"; \t end'


def written_project(cast):
    """Is it a complaint? Only then: why, in one's own words. A note is welcome."""
    made = projects.create_project(
        cast.lea, "Complaints", task_type="form", encoder="tfidf-svd", audit_share=0, overlap=1
    )
    join(made, cast.ana, Role.ANNOTATOR)
    join(made, cast.ben, Role.REVIEWER)
    add(made, "Complaint", "yes", "no")
    form_questions.add_question(made, "Why", kind="text", only_if=[ids(made)["Complaint > yes"]])
    form_questions.add_question(made, "Note", kind="text", optional=True)
    return Project.objects.get(pk=made.pk)


def labelled(project, said):
    return [ids(project)[f"Complaint > {said}"]]


def give(project, user, said, texts=None, lease=None):
    voice = voice_of(project, user)
    lease = lease or assigning.lease(project, voice, 1)[0]
    return labeling.submit(
        project,
        voice,
        uuid=uuid4(),
        assignment_id=lease.pk,
        labels=labelled(project, said),
        value=None if texts is None else {"texts": texts},
    )


def several(project, cast, overlap=2):
    projects.change_project(project, overlap=overlap)
    for each in (cast.lea, cast.ben):
        voice_of(project, each)
    return Project.objects.get(pk=project.pk)
