"""Selection: which items are worth a label next."""

from typing import Protocol

import numpy as np

from learning.registry import Entry, Registry
from learning.types import Pool, Selection


class Strategy(Protocol):
    """What a selection strategy does: at most n distinct candidates, best first."""

    def select(self, pool: Pool, n: int, rng: np.random.Generator) -> Selection: ...


STRATEGIES: Registry[Strategy] = Registry(
    "selection strategy",
    {
        "badge": Entry("Diverse corrections (BADGE)", "learning.selection.badge:Badge"),
        "class-balanced": Entry(
            "Smallest margin, evenly over the labels",
            "learning.selection.class_balanced:ClassBalanced",
        ),
        "committee": Entry("Disagreement of a committee", "learning.selection.committee:Committee"),
        "contrastive": Entry(
            "Unlike its labelled neighbours", "learning.selection.contrastive:Contrastive"
        ),
        "cvirs": Entry("Doubt in all labels, unusual label sets", "learning.selection.cvirs:Cvirs"),
        "data-value": Entry(
            "Expected value of a corrected label", "learning.selection.data_value:DataValue"
        ),
        "density-margin": Entry(
            "Smallest margin among similar items", "learning.selection.density_margin:DensityMargin"
        ),
        "disagreement": Entry(
            "Teachers' texts farthest apart", "learning.selection.disagreement:Disagreement"
        ),
        "entropy": Entry("Largest entropy", "learning.selection.entropy:Entropy"),
        "expected-variance": Entry(
            "Largest variance of the grade (ratings)",
            "learning.selection.expected_variance:ExpectedVariance",
        ),
        "k-center": Entry(
            "Farthest from all labels (k-center)", "learning.selection.k_center:KCenter"
        ),
        "keyword": Entry("What a lead searched for", "learning.selection.keyword:Keyword"),
        "label-cardinality": Entry(
            "Unusual numbers of labels", "learning.selection.label_cardinality:LabelCardinality"
        ),
        "label-margin": Entry("Label in most doubt", "learning.selection.label_margin:LabelMargin"),
        "label-questions": Entry(
            "Questions about single labels", "learning.selection.label_questions:LabelQuestions"
        ),
        "least-confidence": Entry(
            "Least confidence", "learning.selection.least_confidence:LeastConfidence"
        ),
        "length": Entry("Evenly over short and long texts", "learning.selection.length:Length"),
        "margin": Entry("Smallest margin", "learning.selection.margin:Margin"),
        "neediest": Entry("Question in most doubt (forms)", "learning.selection.neediest:Neediest"),
        "probcover": Entry(
            "Most items within reach (ProbCover)", "learning.selection.probcover:ProbCover"
        ),
        "rad": Entry("Robust distillation (for teachers)", "learning.selection.rad:Rad"),
        "margin-diverse": Entry(
            "Small margins, unlike one another", "learning.selection.margin_diverse:MarginDiverse"
        ),
        "mixed": Entry("Mixed (default)", "learning.selection.mixed:Mixed"),
        "random": Entry("Random", "learning.selection.random:Random"),
        "representatives": Entry(
            "Representatives (cold start)", "learning.selection.representatives:Representatives"
        ),
        "set-size": Entry("Largest answer set", "learning.selection.set_size:SetSize"),
        "typiclust": Entry(
            "Most typical of each group (TypiClust)", "learning.selection.typiclust:TypiClust"
        ),
    },
)

# These ask for each label of an item whether it is there.
LABELWISE = frozenset({"cvirs", "label-cardinality", "label-margin", "label-questions"})
# These take labels for the grades of a scale.
GRADED = frozenset({"expected-variance"})
# These need to know how long the items' texts are.
MEASURED = frozenset({"length"})
# These need what several teachers wrote.
HEARD = frozenset({"disagreement"})
# These look at the questions of a form.
ASKED = frozenset({"neediest"})
# These need to know how often teachers err.
TAUGHT = frozenset({"rad"})
# These need sets of labels that hold with a promised coverage.
SETWISE = frozenset({"set-size"})
# The beginning of a long list of these is what a short one holds, or as likely to be: they rank items, or take
# one after the other. Of the others a batch is asked for by its size, see docs/selection.md.
NESTED = frozenset(
    {
        *("badge", "class-balanced", "committee", "contrastive", "cvirs", "data-value"),
        *("density-margin", "entropy", "k-center", "label-cardinality"),
        *("label-margin", "label-questions", "least-confidence", "length", "margin", "neediest"),
        *("probcover", "random", "set-size"),
    }
)
# These ask about one label alone where the others are sure.
ASKING = frozenset({"label-questions"})
