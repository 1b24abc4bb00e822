"""Every kind of background work: the action that does it, and the queue it waits in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of job: the action that does it, the queue it waits in, and what removes the work of earlier jobs
    that one of them goes on from, where it is cancelled while it waits."""

    action: str
    queue: str
    forget: str = ""


KINDS: dict[str, Kind] = {
    "import": Kind(action="annotator.actions.imports.importing:run_import", queue="io"),
    "record": Kind(action="annotator.actions.imports.recording_rows:run_record", queue="io"),
    "undo": Kind(action="annotator.actions.imports.undoing:run_undo", queue="io"),
    "index": Kind(action="annotator.actions.imports.indexing:run_index", queue="io"),
    "encode": Kind(action="annotator.actions.encoders.encoding:run_encode", queue="encode"),
    "switch": Kind(action="annotator.actions.encoders.switching:run_switch", queue="encode"),
    "map": Kind(action="annotator.actions.explore.mapping:run_map", queue="encode"),
    "bakeoff": Kind(action="annotator.actions.encoders.bakeoff_runs:run_bakeoff", queue="train"),
    "settle": Kind(action="annotator.actions.verdicts.settling:run_settle", queue="fast"),
    "train": Kind(action="annotator.actions.students.training:run_train", queue="fast"),
    "refill": Kind(action="annotator.actions.students.training:run_refill", queue="fast"),
    "warm": Kind(action="annotator.actions.students.warming:run_warm", queue="fast"),
    "finetune": Kind(action="annotator.actions.students.background:run_asked", queue="train"),
    "background": Kind(
        action="annotator.actions.students.background:run_background",
        queue="train",
        forget="annotator.actions.students.version_files:forget_checkpoint",
    ),
    "estimate": Kind(action="annotator.actions.figures.estimating:run_estimate", queue="io"),
    "skills": Kind(action="annotator.actions.verdicts.skills:run_skills", queue="io"),
    "domains": Kind(action="annotator.actions.figures.domains:run_domains", queue="io"),
    "compare": Kind(action="annotator.actions.imports.differing:run_compare", queue="io"),
    "pool": Kind(action="annotator.actions.students.pools:run_pool", queue="train"),
    # Where vectors are made, in pieces: a file of three rows waits for no training of hours.
    "predict": Kind(action="annotator.actions.students.predicting:run_predict", queue="encode"),
    "simulate": Kind(
        action="annotator.actions.simulations.simulation_runs:run_simulate", queue="train"
    ),
    "teach": Kind(action="annotator.actions.teachers.annotating:run_teach", queue="llm"),
    "teach-local": Kind(action="annotator.actions.teachers.annotating:run_teach", queue="train"),
    "calibrate": Kind(action="annotator.actions.trust.calibrating:run_calibrate", queue="io"),
    "scoreboard": Kind(action="annotator.actions.routing.scoring:run_scoreboard", queue="io"),
    "route": Kind(action="annotator.actions.routing.routing:run_route", queue="io"),
    "words": Kind(action="annotator.actions.teachers.label_words:run_words", queue="io"),
    "adapt": Kind(action="annotator.actions.projects.adapting:run_adapt", queue="io"),
    "flag": Kind(action="annotator.actions.review.flagging:run_flag", queue="train"),
    "corrections": Kind(
        action="annotator.actions.review.corrections:run_corrections", queue="train"
    ),
    "bulk": Kind(action="annotator.actions.explore.bulk:run_bulk", queue="io"),
    "export": Kind(action="annotator.actions.exports.exporting:run_export", queue="io"),
    "purge": Kind(action="annotator.actions.projects.purging:run_purge", queue="io"),
    "probe": Kind(action="annotator.actions.instance.probing:run_probe", queue="fast"),
}
