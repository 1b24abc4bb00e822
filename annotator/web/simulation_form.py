"""The form of a simulation: strategies with their ideas, and how they are replayed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms

from annotator.actions.simulations import simulations
from annotator.models import Project
from annotator.web.imports import ACCEPTED


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A strategy as the form offers it."""

    field: Any
    idea: str
    current: bool


class SimulationForm(forms.Form):
    """What to replay."""

    strategies = forms.MultipleChoiceField(
        label="Strategies", widget=forms.CheckboxSelectMultiple, choices=()
    )
    seeds = forms.IntegerField(
        label="Seeds",
        min_value=1,
        max_value=simulations.MOST_SEEDS,
        help_text="Each strategy is replayed so often, every time from another start. Five or more "
        "tell skill from luck.",
    )
    budget = forms.IntegerField(
        label="Labels in all",
        min_value=2,
        max_value=simulations.MOST_LABELS,
        help_text="A curve ends here, or with the labelled items.",
    )
    start = forms.IntegerField(
        label="Labels at the start",
        min_value=2,
        max_value=simulations.MOST_LABELS,
        help_text="Chosen by the cold start, the same for every strategy.",
    )
    batch = forms.IntegerField(
        label="Labels a round",
        min_value=1,
        max_value=simulations.MOST_LABELS,
        help_text="After each round the student is trained again.",
    )
    cold_start = forms.ChoiceField(
        label="Cold start",
        choices=[("representatives", "Representatives"), ("random", "Random")],
        help_text="Who chooses the first labels, before there is a student.",
    )
    student = forms.ChoiceField(
        label="Student",
        choices=(),
        required=False,
        help_text="A fine-tuned one learns for minutes in each round; on a GPU only.",
    )
    file = forms.FileField(
        label="A labelled file instead",
        required=False,
        help_text="Replayed with this project's encoder; nothing of it is imported.",
        widget=forms.FileInput(attrs={"accept": ACCEPTED}),
    )
    text = forms.CharField(
        label="Its column with the text",
        max_length=200,
        required=False,
        help_text="Empty: guessed.",
    )
    label = forms.CharField(
        label="Its column with the label",
        max_length=200,
        required=False,
        help_text="Empty: guessed.",
    )

    NUMBERS = ("seeds", "budget", "start", "batch")
    OF_FILE = ("file", "text", "label")
    MORE = ("cold_start", "student", *OF_FILE)

    def __init__(self, *args: Any, project: Project, **kwargs: Any) -> None:
        """Offer what fits the project."""
        super().__init__(*args, **kwargs)
        self.project = project
        fields: Any = self.fields
        fields["strategies"].choices = simulations.replayable(project)
        fields["student"].choices = simulations.students_for(project)
        if not simulations.reads_files(project):
            for name in self.OF_FILE:
                del fields[name]

    def choices(self) -> list[Choice]:
        """The strategies, each with its idea in a sentence."""
        from learning.registry import idea_of
        from learning.selection import STRATEGIES

        return [
            Choice(
                field=each,
                idea=idea_of(STRATEGIES[str(each.data["value"])]),
                current=each.data["value"] == self.project.strategy,
            )
            for each in self["strategies"]
        ]

    def numbers(self) -> list[forms.BoundField]:
        return [self[name] for name in self.NUMBERS]

    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE if name in self.fields]

    def more_is_wrong(self) -> bool:
        """Whether a refusal stands among the fields that are folded away."""
        return any(field.errors for field in self.more())

    def wish(self) -> simulations.Wish:
        """The choices as the action knows them."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "file"}
        return simulations.Wish.from_json(values)
