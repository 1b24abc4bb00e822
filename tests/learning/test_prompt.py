"""The trained prompt: what it begins as, what is trained and kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from learning import students
from learning.errors import ParameterError
from learning.students.classification import pad
from learning.students.decoder import load_decoder
from learning.students.prompt import Prompt
from learning.students.soft_prompt import PromptClassifier, first_words
from learning.types import no_report
from tests.contracts.conftest import models
from tests.contracts.plugins import lesson

__all__ = ["models"]

NAMES = ("Billing refund", "Delivery parcel", "Login password", "")


@pytest.fixture
def student(models: Path) -> Prompt:
    return Prompt(model=str(models / "causal"), length=8, learning_rate=3e-2, head_rate=1e-1)


def test_it_begins_as_the_tokens_of_the_labels_names(models: Path) -> None:
    _, tokenizer, _ = load_decoder(str(models / "causal"), None, 128)
    own = [word for name in NAMES for word in tokenizer(name)["input_ids"]]
    long = first_words(tokenizer, NAMES, len(own) + 5, 400).tolist()
    assert long[: len(own)] == own
    short = first_words(tokenizer, NAMES, 3, 400).tolist()
    places = iter(own)
    assert all(word in places for word in short), "a choice of them, in their order"
    assert len(first_words(tokenizer, (), 6, 400)) == 6


def test_a_text_means_the_same_alone_and_in_a_padded_batch(models: Path) -> None:
    decoder, _, _ = load_decoder(str(models / "causal"), None, 128)
    torch.manual_seed(1)
    made = PromptClassifier(decoder, 4, torch.randn(5, 32)).eval()
    torch.nn.init.normal_(made.head.weight)
    short, long = [5, 9], [7, 7, 30, 41, 2, 19]
    with torch.inference_mode():
        together = made(pad([short, long], 0))
        alone = torch.cat([made(pad([short], 0)), made(pad([long], 0))])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


def test_only_prompt_and_head_are_trained_and_kept(student: Prompt, tmp_path: Path) -> None:
    data = replace(lesson(), label_texts=NAMES)
    begun = student.make(data).network
    fitted = student.fit(data, np.random.default_rng(0), no_report)
    changed = {
        name
        for name, value in fitted.network.state_dict().items()
        if not torch.equal(value, begun.state_dict()[name])
    }
    assert changed == {"prompt", "head.weight"}
    fitted.save(tmp_path)
    kept = sum(path.stat().st_size for path in tmp_path.glob("*.safetensors"))
    assert kept < 4 * (8 * 32 + 4 * 32) + 4 * fitted.margins.size + 1000
    again = students.load(tmp_path)
    np.testing.assert_array_equal(again.predict(data.texts), fitted.predict(data.texts))


def test_refuses_bad_parameters(student: Prompt) -> None:
    with pytest.raises(ParameterError, match="name of a causal language model"):
        Prompt()
    for wrong in ({"length": 0}, {"head_rate": 0.0}, {"warmup": 1.0}, {"weight_decay": -1.0}):
        with pytest.raises(ParameterError):
            replace(student, **wrong)
