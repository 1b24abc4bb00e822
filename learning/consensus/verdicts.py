"""From what the voices' model believes to verdicts."""

import numpy as np

from learning.consensus.heard import Heard, Table, joined_options
from learning.consensus.majority import skill_of
from learning.types import Consensus, Votes


def conclude(votes: Votes, heard: Heard, belief: Table, decisive: float) -> Consensus:
    """Verdicts from beliefs (q, n, o).

    An item is tied where the likeliest option is less than `decisive` times as likely as the next,
    and where it is one that no vote on the item is for: that is a question, not a verdict. A single
    vote that nothing speaks against is taken at its word, however little it is believed.
    """
    mass = heard.by_item(heard.said)  # (q, n, o)
    spoken = heard.voted > 0
    alone = heard.voted == 1
    if heard.told is not None:
        alone &= ~heard.told
    best = np.where(alone, mass.argmax(axis=2), belief.argmax(axis=2))  # (q, n)
    ranked = np.sort(np.pad(belief, ((0, 0), (0, 0), (2, 0))), axis=2)
    close = ranked[:, :, -1] < decisive * ranked[:, :, -2]
    backed = np.take_along_axis(mass, best[:, :, None], axis=2)[:, :, 0] > 0
    doubtful = ~alone & (close | ~backed)
    count = np.bincount(votes.item, minlength=votes.items).astype(np.int64)
    if votes.multi_label:
        answers = (best == 1).T & spoken.T
        tied = (spoken & doubtful).any(axis=0)
    else:
        tied = (count > 0) & (doubtful | ~spoken)[0]
        answers = np.zeros((votes.items, votes.answers.shape[1]), dtype=np.bool_)
        voted = np.flatnonzero(count) if answers.shape[1] else count[:0]
        answers[voted, best[0, voted]] = True
    shares = joined_options(belief * spoken[:, :, None], multi_label=votes.multi_label)
    return Consensus(
        answers=answers,
        shares=shares.astype(np.float32),
        tied=np.asarray(tied),
        votes=count,
        skill=skill_of(votes, answers, np.asarray(tied)),
    )
