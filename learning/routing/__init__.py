"""Routing: which items a person labels, and which answers of a teacher are enough."""

from learning.registry import Entry, Registry
from learning.routing.types import Router

ROUTERS: Registry[Router] = Registry(
    "router",
    {
        "all_human": Entry("People label everything", "learning.routing.all_human:AllHuman"),
        "threshold": Entry("What the teacher is unsure of", "learning.routing.threshold:Threshold"),
        "error_model": Entry(
            "Where the teacher is likely wrong", "learning.routing.error_model:ErrorModel"
        ),
        "ppm": Entry("What the student gains most from", "learning.routing.ppm:Ppm"),
    },
)
