"""The form of a project's policy. Shares are typed as percentages."""

from __future__ import annotations

from typing import Any

from django import forms

from annotator.actions.routing import policies
from annotator.models import Policy, Project, Teacher
from annotator.web.teacher_forms import amount, plainly

LOOP = "The loop: where student and teacher together are in doubt"
MARKED = "The one that does best on the seed"  # no opinion of tagger and teacher is blended
PERCENT = ("human_share", "confidence", "double_share")


def percent(label: str, help_text: str, name: str) -> forms.FloatField:
    """A field for a share, in percent."""
    low, high = policies.SHARES[name]
    return forms.FloatField(
        label=label,
        min_value=100 * low,
        max_value=100 * high,
        help_text=help_text,
        widget=forms.NumberInput(attrs={"step": "any"}),
    )


class PointForm(forms.Form):
    """A point of the curve, by the share of people."""

    share = forms.FloatField(min_value=0, max_value=1)


class PolicyForm(forms.Form):
    """Who labels what, and when a teacher's word is enough."""

    enabled = forms.BooleanField(
        label="A teacher labels beside people",
        required=False,
        help_text="Off, people alone label, and no word of a teacher stays a verdict.",
    )
    teacher: Any = forms.ModelChoiceField(
        label="Teacher",
        queryset=None,
        required=False,
        empty_label="None",
        help_text="None is possible only where people alone label.",
    )
    router = forms.ChoiceField(
        label="Router",
        choices=(),
        required=False,
        help_text="How it is told where the teacher is likely wrong.",
    )
    human_share = percent(
        "People label, %", "The share of all items; those that profit most.", "human_share"
    )
    confidence = percent(
        "A word is a verdict from, %",
        "How likely right it has to be. Below that the item stays open for people.",
        "confidence",
    )
    double_share = percent(
        "Checked by people, %",
        "The share of the teacher's answers that a person is asked about too, drawn at random.",
        "double_share",
    )
    seed_size = forms.IntegerField(
        label="Seed, items",
        min_value=policies.FEWEST_SEED,
        max_value=policies.MOST_SEED,
        help_text="Drawn at random and answered by both, before the teacher is believed anything.",
    )
    unqualified = forms.BooleanField(
        label="Although its test did not show that it is fit",
        required=False,
        help_text="Else a teacher labels only once it passed its test, on its scorecard.",
    )
    hour_price = amount(
        "An hour of a person costs", "In the currency of the prices. 0: unknown.", 0
    )

    FIRST = ("enabled", "teacher", "human_share", "confidence")
    MORE = ("router", "double_share", "seed_size", "hour_price", "unqualified")

    def __init__(self, *args: Any, project: Project, policy: Policy, **kwargs: Any) -> None:
        """Offer the project's teachers, and what is set."""
        from learning.routing import ROUTERS

        kwargs["initial"] = initial_of(policy)
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        rows = Teacher.objects.filter(project=project).select_related("voice")
        fields["teacher"].queryset = rows.order_by("pk")
        fields["teacher"].needed_when_on = True  # what may be left out only with the policy off
        fields["router"].choices = [
            ("", MARKED if project.task.quoted else LOOP),
            *ROUTERS.choices(),
        ]

    def first(self) -> list[forms.BoundField]:
        return [self[name] for name in self.FIRST]

    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE]

    def more_is_wrong(self) -> bool:
        """Whether a refusal stands among the fields that are folded away."""
        return any(field.errors for field in self.more())

    def settings(self) -> dict[str, Any]:
        """The choices as the action knows them."""
        data = dict(self.cleaned_data)
        return data | {name: data[name] / 100 for name in PERCENT}


def initial_of(policy: Policy) -> dict[str, Any]:
    """The policy as the form shows it."""
    kept = {name: getattr(policy, name) for name in Policy.SETTINGS}
    shares = {name: f"{100 * kept[name]:.6g}" for name in PERCENT}
    return kept | shares | {"hour_price": plainly(policy.hour_price)}
