"""Label words: found in the project's texts, kept by a person, read by teachers."""

import pytest

from annotator import jobs
from annotator.actions.encoders import encoding
from annotator.actions.teachers import label_words, lending
from annotator.errors import ConflictError, InvalidError
from annotator.models import JobState
from learning.teachers.prompting import first_prompt, write_request
from tests.annotator.actions.test_loop import WORDS, make_pool, work
from tests.factories import make_items, make_project

pytestmark = pytest.mark.django_db(transaction=True)


def test_words_are_offered_kept_and_reach_prompts(cast):
    small = {"components": 16, "features": 4096}
    project, _, _ = make_pool(cast, 60, encoder_params=small)
    for name, words in WORDS.items():
        project.labels.filter(name=name).update(description=" ".join(words.split()[:3]))
    job = label_words.ask(project)
    with pytest.raises(ConflictError, match="already"):
        label_words.ask(project)
    jobs.execute(job.pk)
    job.refresh_from_db()
    assert (job.state, "not encoded" in job.error) == (JobState.FAILED, True)
    encoding.wish_encoding(project)
    work()
    label_words.ask(project)
    work()
    found = {
        each.label.name: [one["word"] for one in each.words]
        for each in label_words.offered(project)
    }
    assert set(found) == {"Billing", "Delivery", "Login"}
    assert set(found["Billing"]) & {"refund", "money", "charged", "card", "bank", "invoice"}
    billing = project.labels.get(name="Billing")
    first = found["Billing"][0]
    label_words.keep(project, {billing.pk: [first.upper(), f" {first} ", "pay back", ""]})
    billing.refresh_from_db()
    assert len(billing.words) == 2
    again = next(each for each in label_words.offered(project) if each.label == billing)
    assert not set(billing.words) & {one["word"] for one in again.words}
    schema = lending.schema_of(project)
    items = lending.items_of(project, [0])
    assert "pay back" in write_request(first_prompt(schema), schema, items).system


def test_what_is_no_word_is_refused(cast):
    project, other = make_project(cast), make_project(cast)
    make_items(project, 3)
    label = project.labels.first()
    for wrong in (["x" * 81], [str(n) for n in range(51)]):
        with pytest.raises(InvalidError):
            label_words.keep(project, {label.pk: wrong})
    with pytest.raises(InvalidError, match="not in this project"):
        label_words.keep(project, {other.labels.first().pk: ["a"]})
