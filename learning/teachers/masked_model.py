"""A masked language model of transformers (BERT, RoBERTa and their kin) for the teacher `local`.

Importing this imports no torch; using a model does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learning.encoders.pooled import places_of

if TYPE_CHECKING:
    from learning.teachers.token_trie import Tokens
    from learning.types import Floats

USUAL_LONGEST = 512  # tokens that are read where the model does not say how many it reads
AT_ONCE = 16  # ways to fill a gap in one pass


class LoadedMasked:
    """A tokenizer and a transformers model with a head for gaps."""

    def __init__(self, tokenizer: Any, model: Any, identity: str) -> None:
        self.tokenizer, self.model, self.identity = tokenizer, model, identity
        bare, marked = (
            self.tokenizer("a", add_special_tokens=on)["input_ids"] for on in (False, True)
        )
        start = next(at for at in range(len(marked)) if marked[at : at + len(bare)] == bare)
        self._before, self._behind = marked[:start], marked[start + len(bare) :]
        places = places_of(model) or USUAL_LONGEST
        self.longest = places - len(self._before) - len(self._behind)

    def tokens(self, text: str) -> list[int]:
        """What looks like a mark of the model's in a text is data: no gap is found by it."""
        readable = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        found: list[int] = self.tokenizer(readable, add_special_tokens=False)["input_ids"]
        return found

    def words(self, words: Sequence[str]) -> list[Tokens]:
        """With the blank that parts them from what stands before the gap."""
        found = [tuple(self.tokens(f" {word}")) for word in words]
        unknown = self.tokenizer.unk_token_id
        return [() if unknown in tokens else tokens for tokens in found]

    def filled(self, left: Sequence[int], right: Sequence[int], words: Sequence[Tokens]) -> Floats:
        """Beginnings that words of one length share are read once."""
        found = np.zeros(len(words))
        for size in sorted({len(word) for word in words}):
            rows = [row for row, word in enumerate(words) if len(word) == size]
            for step in range(size):
                starts = sorted({words[row][:step] for row in rows})
                place = {start: at for at, start in enumerate(starts)}
                wanted = sorted({words[row][step] for row in rows})
                column = {token: at for at, token in enumerate(wanted)}
                shares = self._next(left, right, starts, size, wanted)
                for row in rows:
                    word = words[row]
                    found[row] += shares[place[word[:step]], column[word[step]]]
        return found

    def _next(
        self,
        left: Sequence[int],
        right: Sequence[int],
        starts: Sequence[Tokens],
        size: int,
        wanted: Sequence[int],
    ) -> NDArray[np.float64]:
        """(s, t) log-probabilities of the wanted tokens behind each start, in a gap of this size."""
        import torch

        mask = self.tokenizer.mask_token_id
        gap = len(self._before) + len(left) + len(starts[0])
        parts = []
        for at in range(0, len(starts), AT_ONCE):
            rows = [
                [*self._before, *left, *start, *[mask] * (size - len(start)), *right, *self._behind]
                for start in starts[at : at + AT_ONCE]
            ]
            asked = torch.tensor(rows, device=self.model.device)
            with torch.inference_mode():
                out = self.model(input_ids=asked, attention_mask=torch.ones_like(asked))
            parts.append(log_shares(out.logits[:, gap])[:, list(wanted)])
        return np.concatenate(parts).astype(np.float64)


def log_shares(logits: Any) -> Floats:
    """(m, v) log-probabilities of a row of logits each."""
    import torch

    shares: Floats = torch.log_softmax(logits.float(), dim=-1).cpu().numpy()
    return shares
