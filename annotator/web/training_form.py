"""The form with which a person has another student than the head trained now."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.actions.students import teaching
from annotator.models import ItemKind, Project
from annotator.web import parameters


class TrainForm(forms.Form):
    """Which student, and the two parameters that are changed most; the API takes every one."""

    kind = forms.ChoiceField(label="Student")
    model = forms.CharField(
        label="Model",
        required=False,
        max_length=250,
        help_text="A folder in models/ of the data folder by its name, or owner/name@commit of a hub.",
        widget=forms.TextInput(attrs={"placeholder": "minilm, built in"}),
    )
    epochs = forms.IntegerField(
        label="Epochs",
        required=False,
        help_text="Passes over what is learned from, of a student that has them.",
        widget=forms.NumberInput(attrs={"placeholder": "as it is made"}),
    )

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer the students that fit the project."""
        super().__init__(*args, **kwargs)
        self.kinds = teaching.kinds_of(project)
        if project.item_kind == ItemKind.IMAGE:
            self.fields["model"].widget.attrs["placeholder"] = "small, built in"
        kind: Any = self.fields["kind"]
        kind.choices = self.kinds

    def params(self) -> dict[str, Any]:
        """What was filled in, as the student's parameters."""
        model, _, revision = self.cleaned_data.get("model", "").strip().partition("@")
        given = {"model": model, "revision": revision, "epochs": self.cleaned_data.get("epochs")}
        return {name: value for name, value in given.items() if value not in (None, "")}

    def clean(self) -> dict[str, Any]:
        """A student that can be trained so; a model's commit is part of its name here."""
        cleaned = super().clean() or {}
        kind = cleaned.get("kind")
        for parameter, sentence in parameters.refusals(kind, self.params()).items() if kind else ():
            name = "model" if parameter == "revision" else parameter
            self.add_error(name if name in self.fields else None, sentence)
        return cleaned
