"""Refusals of the learning library: each message is a sentence fit for a person."""


class LearningError(Exception):
    """Base of every refusal that this library raises on purpose."""


class UnknownPluginError(LearningError, KeyError):
    """A registry was asked for a name that it does not hold."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would print the sentence in quotes


class ParameterError(LearningError, ValueError):
    """A plugin was given a parameter that it does not have, or a value that it cannot take.

    parameter: its name, where one alone is to blame.
    """

    def __init__(self, sentence: str, *, parameter: str = "") -> None:
        super().__init__(sentence)
        self.parameter = parameter


class ShapeError(LearningError, ValueError):
    """Arrays do not fit together, or hold values outside their range."""


class NotEnoughDataError(LearningError):
    """There are too few labels, items or rows for what was asked."""


class NeedsStudentError(LearningError):
    """A strategy needs a student's probabilities and got none."""


class ModelUnavailableError(LearningError):
    """Weights are not installed, not reachable, or are not the ones that were expected."""


class DamagedFileError(LearningError):
    """A stored file is missing, cut short, or differs from the hash in its manifest."""


class CheckpointMismatchError(LearningError):
    """A checkpoint belongs to other data or other parameters than the fit that would resume it."""


class DivergedError(LearningError):
    """Training broke down: its gradients are no finite numbers any more."""


class OutOfMemoryError(LearningError):
    """A batch does not fit the device's memory, not even in halves."""


class CompanionError(LearningError):
    """One of the processes that take one fit together is gone."""


class UnreadableItemError(LearningError):
    """An item cannot be read as what it should be, an image for example."""


class PauseError(Exception):
    """No refusal: whoever waits for some work wants others to go first, and says so by raising this in `report`.

    What can go on later keeps its state and ends with this; the same call then goes on from there.
    """


class RunStoppedError(LearningError):
    """Somebody stopped a run while it was under way. money: what calls had cost by then."""

    money: float = 0.0


class BudgetSpentError(LearningError):
    """What a call may cost at most is more than the budget has left. money: what tries had cost."""

    money: float = 0.0


class EndpointError(LearningError):
    """A teacher's endpoint gave no answer, or one that cannot be used.

    money: what its calls must be taken to have cost all the same. status, code and parameter are
    those of an endpoint that refused, when it named them in a known way.
    """

    def __init__(
        self,
        sentence: str,
        *,
        money: float = 0.0,
        status: int | None = None,
        code: str = "",
        parameter: str = "",
    ) -> None:
        super().__init__(sentence)
        self.money = money
        self.status = status
        self.code = code
        self.parameter = parameter
