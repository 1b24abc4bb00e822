"""Replay a labelled file through the whole loop and print the curve."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.actions import simulating
from annotator.management.base import Command as Base
from annotator.models.project import encoder_choices, strategy_choices


class Command(Base):
    help = "Replay a labelled file: encode, select, label, train. Prints the curve as JSON lines."
    example = """
Examples:
  manage.py simulate train.jsonl.gz --test test.jsonl.gz --strategy random --labels 1000 --seeds 5
  manage.py simulate tickets.csv --text message --label topic --encoder tfidf-svd

Each line is a point: seed, labels, accuracy (0…1) with its 95 % interval (low, high) and more.
Without --test a share of the file is kept back for testing; equal texts are never on both sides.
It needs no project and changes nothing.
"""

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        defaults = simulating.Plan(file=Path())
        add("file", type=Path, help="CSV, TSV, JSON, JSONL (also .gz), Parquet, zip of images, …")
        add("--test", type=Path, help="another file to test on")
        add("--test-share", type=float, default=defaults.test_share, help="else this share (0.2)")
        add("--text", default="", help="column with the text (guessed)")
        add("--label", default="", help="column with the label (guessed)")
        add("--rows", type=int, default=0, help="read only so many labelled rows")
        add("--encoder", default=defaults.encoder, choices=[n for n, _ in encoder_choices()])
        add("--encoder-params", type=json.loads, default={}, metavar="JSON")
        add("--student", default=defaults.student, choices=["head", "finetune"])
        add("--strategy", default=defaults.strategy, choices=[n for n, _ in strategy_choices()])
        add("--start", type=int, default=defaults.start, help="labels of the cold start (50)")
        add("--batch", type=int, default=defaults.batch, help="labels between two points (50)")
        add("--labels", type=int, default=defaults.labels, help="labels in all (1000)")
        add("--seeds", type=int, default=defaults.seeds, help="repeat with so many seeds (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        names = simulating.Plan.__dataclass_fields__
        plan = simulating.Plan(**{name: options[name] for name in names})
        for point in simulating.simulate(plan, self.note):
            self.say(json.dumps(point))
            self.stdout.flush()
