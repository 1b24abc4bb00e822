"""What a ranker says of the whole pool: predictions without any label, and utilities beside them."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from learning.rankers import FittedRanker
from learning.rankers.types import Lists, Ordered
from learning.storage import load_folder, save_folder
from learning.students.predictions import Doubted, Predictions, write_probabilities
from learning.types import Report, row_blocks

ORDERS = "orders"
BLOCK_LISTS = 2_048


def write_ordered(
    folder: Path, fitted: FittedRanker, lists: Lists, report: Report
) -> tuple[Predictions, Ordered]:
    """Order every list block by block, and write what that amounts to into `folder`.

    Predictions: (n, 0), with the ranker's own margins.
    """
    kept: list[Ordered] = []

    def blocks() -> Iterable[Doubted]:
        for block in row_blocks(lists.lists, BLOCK_LISTS):
            said = fitted.order(lists.block(block))
            kept.append(said)
            nothing = np.zeros((said.lists, 0), dtype=np.float32)
            yield Doubted(probabilities=nothing, margins=said.margins)
            report(block.stop, lists.lists)

    predictions = write_probabilities(folder, blocks(), 0, multi_label=True)
    utility = np.concatenate([np.zeros(0, dtype=np.float32), *(one.utility for one in kept)])
    counts = [np.diff(one.starts) for one in kept]
    starts = np.concatenate([[0], np.cumsum(np.concatenate([*counts, np.zeros(0)]))])
    said = Ordered(
        starts=starts.astype(np.int64),
        utility=utility,
        width=kept[0].width if kept else 0.0,
        margins=predictions.margins,
    )
    arrays: dict[str, NDArray[np.generic]] = {"starts": said.starts, "utility": said.utility}
    save_folder(folder / ORDERS, arrays, {"width": said.width})
    return predictions, said


def read_ordered(folder: Path, predictions: Predictions) -> Ordered:
    """What `write_ordered` wrote. Raises DamagedFileError when it is gone or was changed."""
    arrays, manifest = load_folder(folder / ORDERS)
    return Ordered(
        starts=arrays["starts"],
        utility=arrays["utility"],
        width=float(manifest["width"]),
        margins=predictions.margins,
    )
