"""A project's settings: how it asks, how its loop runs, guidelines, and the way out."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from annotator.actions.encoders import switching
from annotator.actions.projects import asking, projects
from annotator.errors import AnnotatorError, ConflictError, NotFoundError
from annotator.models import ROLES, Can, Membership, Project, Shape
from annotator.models.project import (
    conformal_choices,
    consensus_choices,
    encoder_choices,
    strategy_choices,
)
from annotator.web.entrance import refuse
from annotator.web.markdown import to_html
from annotator.web.pages import page, person, project_for

NAMED_ENCODERS = {"sentence-transformers", "transformers", "vision"}


# Fields that may be left empty -> the shares that they are percent of.
PERCENT = {
    "coverage_percent": "set_coverage",
    "sure_percent": "sure_at",
    "share_percent": "share_at_most",
    "gold_percent": "gold_share",
    "entry_percent": "entry_pass",
}

# Settings that only answers made of labels have, and those of sets of labels.
OF_LABELS = (
    *("label_questions", "digit_answers", "gold_percent", "entry_items", "entry_percent"),
    "balanced",
)
OF_SETS = ("answer_sets", "coverage_percent", "set_method")


class SettingsForm(forms.Form):
    """Everything that a manager may change, each with what it does."""

    name = forms.CharField(label="Name", max_length=200)
    description = forms.CharField(label="Description", max_length=500, required=False)

    overlap = forms.IntegerField(
        label="People per item",
        min_value=1,
        max_value=100,
        help_text="How many different people answer each item. Two or more show where they "
        "disagree; ties go to review.",
    )
    blind = forms.BooleanField(
        label="Blind",
        required=False,
        help_text="Nobody sees the student's suggestions while labelling. Audit items are always "
        "blind.",
    )
    digit_answers = forms.BooleanField(
        label="A digit answers and moves on",
        required=False,
        help_text="Off: a digit chooses and Enter confirms.",
    )
    consensus = forms.ChoiceField(
        label="Consensus",
        choices=consensus_choices,
        help_text="How several answers become one label. Weighted: a person outweighs an import.",
    )

    sure_percent = forms.FloatField(
        label="Ask again below, in percent of belief",
        min_value=0,
        max_value=99,
        required=False,
        help_text="While the answers so far leave an item less sure than this, one more person is "
        "asked. 0 or empty: never.",
    )
    voices_at_most = forms.IntegerField(
        label="… until so many answered",
        min_value=1,
        max_value=100,
        required=False,
        help_text="What is still in doubt then waits for a reviewer.",
    )
    share_percent = forms.FloatField(
        label="One person's share at most, in percent",
        min_value=0.1,
        max_value=100,
        required=False,
        help_text="Of all wanted answers, so that one person's habits do not become the data's.",
    )
    gold_percent = forms.FloatField(
        label="Gold items, in percent",
        min_value=0,
        max_value=100 * asking.GOLD_AT_MOST,
        required=False,
        help_text="Of what a person is given, how many have a known answer. Unseen, no votes. "
        "Chosen under Annotators, Gold items.",
    )
    entry_items = forms.IntegerField(
        label="Entry round, in gold items",
        min_value=0,
        max_value=1_000,
        required=False,
        help_text="A new annotator answers so many first and reads after each what is right. 0: none.",
    )
    entry_percent = forms.FloatField(
        label="Let in from, in percent right",
        min_value=0,
        max_value=100,
        required=False,
        help_text="Below, a manager lets them in under Members and links, or does not.",
    )
    answer_sets = forms.BooleanField(
        label="Answer sets",
        required=False,
        help_text="Mark the labels that hold with the coverage below, once enough audit items are "
        "answered to promise it. Never where labelling is blind.",
    )
    coverage_percent = forms.FloatField(
        label="Coverage of the sets, in percent",
        min_value=100 * projects.LEAST_COVERAGE,
        max_value=100 * projects.MOST_COVERAGE,
        help_text="Of items drawn at random, how many have the right answer in their set.",
    )
    set_method = forms.ChoiceField(label="Method of the sets", required=False)

    audit_percent = forms.FloatField(
        label="Audit share, in percent",
        min_value=0,
        max_value=100,
        help_text="Of the items a person is given, how many are drawn at random and answered "
        "blind. They are the only honest measure of the student; 10 is a good start.",
    )
    audit_size = forms.IntegerField(
        label="Audit sample, in items",
        min_value=0,
        help_text="When the sample is full, every item is chosen by the strategy. 0: a fifth of "
        "the pool, 400 at most.",
    )

    strategy = forms.ChoiceField(
        label="What to ask next",
        choices=strategy_choices,
        help_text="Under Strategy is told what each one does, and which would have been best here.",
    )
    label_questions = forms.BooleanField(
        label="Ask about single labels",
        required=False,
        help_text="“Is it a refund?”, one key, where all other labels of an item are sure. For a "
        "strategy that asks so; choosing one switches this on. Never where labelling is blind.",
    )
    encoder = forms.ChoiceField(
        label="Encoder",
        help_text="Turns items into vectors. Another one encodes every item again, in the "
        "background.",
    )
    encoder_name = forms.CharField(
        label="Model name",
        max_length=200,
        required=False,
        help_text="Only for an encoder by name, such as intfloat/e5-small-v2.",
    )
    encoder_revision = forms.CharField(
        label="Model revision",
        max_length=100,
        required=False,
        help_text="The commit of that model, so that everybody gets the same vectors.",
    )
    retrain_answers = forms.IntegerField(
        label="Train after so many answers",
        min_value=1,
        help_text="A burst of answers costs one training.",
    )
    retrain_seconds = forms.IntegerField(
        label="… or so many seconds after an answer", min_value=1, max_value=86_400
    )
    training_paused = forms.BooleanField(
        label="Pause training",
        required=False,
        help_text="Labelling goes on with the present student.",
    )
    soft_rows = forms.BooleanField(
        label="Learn from unanswered items too",
        required=False,
        help_text="What a teacher or a dearer student says of them, while it is right more often on the random "
        "sample; else how they lie, while that does no harm there. The answers still decide.",
    )
    best_f1 = forms.BooleanField(
        label="Give several labels by their best F1",
        required=False,
        help_text="The quick student then gives a label where that is worth the risk, and leaves out fewer; 50\u00a0% "
        "stands for that line, so its percentages are no chances any more.",
    )

    balanced = forms.BooleanField(
        label="Let rare labels count more",
        required=False,
        help_text="The quick student then finds more of what few answers name, and says frequent labels less often. "
        "With some hundred answers it was better on the average label; with thousands it makes no difference.",
    )

    GROUPS = (
        ("Project", ("name", "description")),
        ("How people are asked", ("overlap", "blind", "digit_answers", "consensus")),
        ("Several voices", ("sure_percent", "voices_at_most", "share_percent")),
        ("Gold items", ("gold_percent", "entry_items", "entry_percent")),
        ("Answer sets", ("answer_sets", "coverage_percent", "set_method")),
        ("Audit", ("audit_percent", "audit_size")),
        ("Choosing", ("strategy", "label_questions")),
        ("Encoding", ("encoder", "encoder_name", "encoder_revision")),
        (
            "Training",
            (
                *("retrain_answers", "retrain_seconds", "training_paused", "soft_rows"),
                *("best_f1", "balanced"),
            ),
        ),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer only encoders that read this project's items, and what fits its task."""
        super().__init__(*args, **kwargs)
        consensus: Any = self.fields["consensus"]
        consensus.choices = [x for x in consensus_choices() if x[0] in project.task.consensus]
        strategies = project.strategies
        strategy: Any = self.fields["strategy"]
        strategy.choices = [each for each in strategy_choices() if each[0] in strategies]
        if not project.multi_label:
            del self.fields["label_questions"], self.fields["best_f1"]
        fitting = project.task.conformal
        for name in (*OF_LABELS, *(() if fitting else OF_SETS)):
            if project.shape != Shape.LABELS:
                self.fields.pop(name, None)
        sets: Any = self.fields.get("set_method", forms.ChoiceField())
        sets.choices = [("", "Usual"), *(x for x in conformal_choices() if x[0] in fitting)]
        fit = switching.ENCODERS_BY_KIND[project.item_kind]  # type: ignore[index]
        encoder: Any = self.fields["encoder"]
        encoder.choices = [(name, text) for name, text in encoder_choices() if name in fit]

    def groups(self) -> list[tuple[str, list[forms.BoundField]]]:
        groups = [
            (title, [self[name] for name in names if name in self.fields])
            for title, names in self.GROUPS
        ]
        return [(title, fields) for title, fields in groups if fields]

    def settings(self) -> dict[str, Any]:
        """The cleaned values under the names that the action knows."""
        values = dict(self.cleaned_data)
        values["audit_share"] = values.pop("audit_percent") / 100
        for field, name in PERCENT.items():
            share = values.pop(field, None)
            if share is not None:
                values[name] = share / 100
        for name in ("voices_at_most", "entry_items"):
            if values.get(name) is None:
                values.pop(name, None)
        name, revision = values.pop("encoder_name"), values.pop("encoder_revision")
        named = values["encoder"] in NAMED_ENCODERS
        given = {"name": name, "revision": revision} if named else {}
        values["encoder_params"] = {key: value for key, value in given.items() if value}
        return values

    def clean(self) -> dict[str, Any]:
        """A model by name needs its name."""
        cleaned = super().clean() or {}
        if cleaned.get("encoder") in NAMED_ENCODERS and not cleaned.get("encoder_name"):
            self.add_error("encoder_name", "Name the model, or choose the built-in encoder.")
        return cleaned


@require_http_methods(["GET", "POST"])
@login_required
def settings(request: HttpRequest, project_id: int) -> HttpResponse:
    """Show and change the settings."""
    project = project_for(request, project_id, Can.MANAGE)
    form = SettingsForm(request.POST or None, project=project, initial=_initial(project))
    if request.method == "POST" and form.is_valid():
        try:
            projects.change_project(project, by=person(request), **form.settings())
        except AnnotatorError as error:
            refuse(form, error)
        else:
            messages.success(request, "Saved.")
            return redirect("settings", project_id=project.pk)
    status = 422 if form.errors else 200
    context = {"form": form, "tab": "settings"}
    return page(request, "settings/settings.html", project, "settings", context, status)


def _initial(project: Project) -> dict[str, Any]:
    names = projects.SETTINGS - {"encoder_params", "guidelines", "audit_share"}
    names -= set(PERCENT.values())
    return {
        **{name: getattr(project, name) for name in names},
        "audit_percent": f"{project.audit_share * 100:.4g}",
        **{field: f"{getattr(project, name) * 100:.4g}" for field, name in PERCENT.items()},
        "encoder_name": project.encoder_params.get("name", ""),
        "encoder_revision": project.encoder_params.get("revision", ""),
    }


@require_http_methods(["GET", "POST"])
@login_required
def guidelines(request: HttpRequest, project_id: int) -> HttpResponse:
    """Write what annotators read, and see it as they will."""
    project = project_for(request, project_id, Can.MANAGE)
    text = project.guidelines
    if request.method == "POST":
        text = request.POST.get("guidelines", "").replace("\r\n", "\n")
        projects.change_project(project, by=person(request), guidelines=text)
        messages.success(request, "The guidelines are saved; everybody sees them from now on.")
        return redirect("guidelines", project_id=project.pk)
    context = {"text": text, "preview": to_html(text), "tab": "guidelines"}
    return page(request, "settings/guidelines.html", project, "settings", context)


@require_POST
@login_required
def guidelines_preview(request: HttpRequest, project_id: int) -> HttpResponse:
    """What a text would look like; nothing is stored."""
    project_for(request, project_id, Can.MANAGE)
    text = request.POST.get("guidelines", "")
    return render(request, "settings/guidelines_preview.html", {"preview": to_html(text)})


@require_GET
@login_required
def danger(request: HttpRequest, project_id: int) -> HttpResponse:
    """Where a project is deleted, and what that means."""
    project = project_for(request, project_id, Can.OWN)
    context = {"tab": "danger", "days": projects.PURGE_AFTER_DAYS}
    return page(request, "settings/danger.html", project, "settings", context)


@require_POST
@login_required
def delete(request: HttpRequest, project_id: int) -> HttpResponse:
    """Delete the project whose name was typed."""
    project = project_for(request, project_id, Can.OWN)
    if " ".join(request.POST.get("name", "").split()) != project.name:
        raise ConflictError("Type the project's name exactly to delete it. Nothing was deleted.")
    projects.delete_project(project)
    messages.success(request, f"“{project.name}” is deleted. Its owners can restore it for a week.")
    return redirect("deleted")


@require_GET
@login_required
def deleted(request: HttpRequest) -> HttpResponse:
    """Deleted projects of this owner that were not purged yet."""
    return render(request, "settings/deleted.html", {"projects": _deleted(request)})


@require_POST
@login_required
def restore(request: HttpRequest, project_id: int) -> HttpResponse:
    """Bring one back."""
    project = next((each for each in _deleted(request) if each.pk == project_id), None)
    if project is None:
        raise NotFoundError("There is no such deleted project of yours; it may be purged.")
    projects.restore_project(project)
    messages.success(request, f"“{project.name}” is back.")
    return redirect("home")


def _deleted(request: HttpRequest) -> list[Project]:
    mine = Membership.objects.filter(user=person(request), role__in=ROLES[Can.OWN])
    gone = Project.objects.exclude(archived_at=None).filter(pk__in=mine.values("project"))
    return list(gone.order_by("-archived_at"))
