"""What trains in the background: when each recipe does, with which parameters, minutes a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from annotator.actions.students import background, promoting, serving, teaching, turns
from annotator.actions.students.recipes import registry_of
from annotator.errors import AnnotatorError
from annotator.models import Can, Project, Recipe, When
from annotator.web import onward, parameters
from annotator.web.entrance import refuse
from annotator.web.pages import page, person, project_for


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A recipe as the page shows it: its idea, how it stands, and its fields."""

    recipe: Recipe
    label: str
    idea: str
    when: forms.BoundField
    params: list[forms.BoundField]
    wanted: int
    unpaid: str
    serves: bool

    @property
    def waits_for_gpu(self) -> bool:
        """Whether it did what was asked of it: nothing, as this machine has no GPU."""
        return self.recipe.when == When.GPU and self.recipe.trouble == background.NO_GPU

    @property
    def is_wrong(self) -> bool:
        """Whether a refusal stands among the fields that are folded away."""
        return any(field.errors for field in self.params)


class BackgroundForm(forms.Form):
    """The minutes of a day and every recipe, its parameters made from the plugin's fields."""

    minutes = forms.IntegerField(
        label="Minutes a day",
        min_value=0,
        max_value=background.MOST_MINUTES,
        help_text="What these students may take of the machine that trains, on whatever it has. "
        "0: none trains by itself.",
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer the recipes that fit the project."""
        super().__init__(*args, **kwargs)
        fit = background.recipes_of(project)
        self.project, self.served = project, _served(project, fit)
        # One that was not on the page when it was filled in stays as it is.
        self.recipes = [
            each for each in fit if not self.is_bound or f"{each.kind}-when" in self.data
        ]
        self.fields["minutes"].initial = project.training_minutes
        for recipe in self.recipes:
            self.fields[f"{recipe.kind}-when"] = forms.ChoiceField(
                label="In the background",
                choices=When.choices,
                initial=recipe.when,
            )
            for name, field in parameters.fields_of(recipe.kind, recipe.params).items():
                self.fields[f"{recipe.kind}-{name}"] = field

    def shown(self) -> list[Shown]:
        from learning.registry import idea_of

        labelled, labels = background.labelled(self.project), self.project.live_labels().count()
        return [
            Shown(
                recipe=each,
                label=registry_of(each.kind).entry(each.kind).label,
                idea=idea_of(registry_of(each.kind)[each.kind]),
                when=self[f"{each.kind}-when"],
                params=[self[f"{each.kind}-{name}"] for name in parameters.defaults(each.kind)],
                wanted=background.wanted(each),
                unpaid=background.unpaid(each, labelled, labels),
                serves=each is self.served,
            )
            for each in self.recipes
        ]

    def clean(self) -> dict[str, Any]:
        """Every recipe that is to train must be one that can, so that all is told at once."""
        cleaned = super().clean() or {}
        for each in self.recipes:
            given = self._given(each)
            if cleaned.get(f"{each.kind}-when") == When.NEVER and not given:
                continue
            for parameter, sentence in parameters.refusals(each.kind, given).items():
                name = f"{each.kind}-{parameter}"
                self.add_error(name if name in self.fields else f"{each.kind}-when", sentence)
        return cleaned

    def settings(self) -> dict[str, tuple[str, dict[str, Any]]]:
        """By kind, as the action knows them; a parameter that was left empty stays as it is made."""
        return {
            each.kind: (self.cleaned_data[f"{each.kind}-when"], self._given(each))
            for each in self.recipes
        }

    def _given(self, recipe: Recipe) -> dict[str, Any]:
        found = {}
        for name, default in parameters.defaults(recipe.kind).items():
            value = self.cleaned_data.get(f"{recipe.kind}-{name}")
            if value not in (None, "") and value != default:
                found[name] = value
        return found


def _served(project: Project, known: list[Recipe]) -> Recipe | None:
    """Of these the one of the student that serves."""
    current = project.current_student
    return None if current is None else serving.recipe_of(project, current, known)


@require_http_methods(["GET", "POST"])
@login_required
def recipes(request: HttpRequest, project_id: int) -> HttpResponse:
    """Show and change what trains by itself."""
    project = project_for(request, project_id, Can.MANAGE)
    form = BackgroundForm(request.POST or None, project=project)
    status = 422 if form.errors else 200
    if form.is_valid():
        try:
            return _saved(request, project, form)
        except AnnotatorError as error:
            refuse(form, error)
            status = error.status
    context = {
        "form": form,
        "recipes": form.shown(),
        "today": turns.today(project),
        "is_held": promoting.is_held(project),
    }
    return page(request, "students/background.html", project, "students", context, status)


def _saved(request: HttpRequest, project: Project, form: BackgroundForm) -> HttpResponse:
    """Change the settings, and begin to train the recipe beside whose button that was asked for."""
    settings, kind = form.settings(), request.POST.get("now", "")
    background.change(project, minutes=form.cleaned_data["minutes"], recipes=settings)
    messages.success(request, "Saved.")
    if kind not in settings:
        return redirect("students_background", project_id=project.pk)
    _, params = settings[kind]
    teaching.start_finetune(project, person(request), params, kind)
    messages.success(request, f"Training has begun. {onward.takes_over(project)}")
    return redirect("students", project_id=project.pk)
