"""Whether a teacher that is asked was switched off meanwhile, or its endpoint closed."""

from __future__ import annotations

import time

from annotator import jobs
from annotator.models import Teacher

LOOK_SECONDS = 0.5


class Switch:
    """Whether one of these teachers was switched off or its endpoint closed, looked up often."""

    def __init__(self, asked: list[Teacher]) -> None:
        self.asked = asked
        self.cause = ""
        self._looked_at = time.monotonic()

    def is_off(self) -> bool:
        """Asked in every wait, by all threads; looks at nothing."""
        return bool(self.cause)

    def look(self) -> None:
        """Raise CancelledError when it is off. For the thread that may use the database."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._looked_at = time.monotonic()
            on = Teacher.objects.filter(pk__in=[each.pk for each in self.asked], enabled=True)
            closed = on.filter(endpoint__enabled=False)
            calling = sum(each.endpoint_id is not None for each in self.asked)
            if on.count() < len(self.asked):
                self.cause = "The teacher was switched off."
            elif closed.exists() or on.exclude(endpoint=None).count() < calling:
                self.cause = "The endpoint was closed by an instance admin."
        if self.cause:
            raise jobs.CancelledError(self.cause)
