"""Rows, their constraints, and reads as chainable queryset methods."""

from annotator.models.annotation import (
    Annotation,
    AnnotationKind,
    Annotator,
    AnnotatorKind,
    Flag,
    FlagState,
    LedgerBatch,
    LedgerEntry,
    Stream,
    Verdict,
    VerdictSource,
    VerdictState,
)
from annotator.models.audit import AuditSheet
from annotator.models.item import BatchState, ImportBatch, Item, ItemSearch, Part, Suggestion
from annotator.models.job import Job, JobState
from annotator.models.people import (
    ROLES,
    Can,
    Invitation,
    Membership,
    ResetLink,
    Role,
    User,
    hash_secret,
    new_secret,
)
from annotator.models.project import ItemKind, Label, Project
from annotator.models.queue import Assignment, AssignmentState, Pick, Seeding
from annotator.models.simulation import (
    RunState,
    Simulation,
    SimulationRun,
    SimulationState,
    StrategyChange,
)
from annotator.models.snapshot import Snapshot, SnapshotState
from annotator.models.student import Encoding, EstimateSource, StudentState, StudentVersion

__all__ = [
    "ROLES",
    "Annotation",
    "AnnotationKind",
    "Annotator",
    "AnnotatorKind",
    "Assignment",
    "AssignmentState",
    "AuditSheet",
    "BatchState",
    "Can",
    "Encoding",
    "EstimateSource",
    "Flag",
    "FlagState",
    "ImportBatch",
    "Invitation",
    "Item",
    "ItemKind",
    "ItemSearch",
    "Job",
    "JobState",
    "Label",
    "LedgerBatch",
    "LedgerEntry",
    "Membership",
    "Part",
    "Pick",
    "Project",
    "ResetLink",
    "Role",
    "RunState",
    "Seeding",
    "Simulation",
    "SimulationRun",
    "SimulationState",
    "Snapshot",
    "SnapshotState",
    "StrategyChange",
    "Stream",
    "StudentState",
    "StudentVersion",
    "Suggestion",
    "User",
    "Verdict",
    "VerdictSource",
    "VerdictState",
    "hash_secret",
    "new_secret",
]
