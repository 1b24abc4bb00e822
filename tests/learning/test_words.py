"""Reading a model word by word."""

from pathlib import Path
from typing import Any

import pytest
import torch

from learning.encoders.named import Transformers
from learning.encoders.words import up_to
from tests.tiny_models import tiny_masked


@pytest.mark.parametrize("kind", ["bert", "roberta"])
class TestLayers:
    @pytest.fixture
    def model(self, kind: str, tmp_path: Path) -> Any:
        return Transformers(name=str(tiny_masked(tmp_path, kind, part="Model"))).fit().model

    def test_the_first_ones_say_what_they_say_in_the_whole_model(self, model: Any) -> None:
        shown = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "output_hidden_states": True}
        whole = model(**shown).hidden_states
        for layer in range(1, len(whole)):
            short = up_to(model, layer)(**shown).hidden_states
            assert len(short) == layer + 1
            torch.testing.assert_close(short[layer], whole[layer], rtol=0, atol=0)

    def test_neither_says_the_layers_of_the_other_too(self, model: Any) -> None:
        """As they would if each had hooked itself to the layers that they share."""
        short = up_to(model, 1)
        assert len(short.encoder.layer) == 1
        shown = {"input_ids": torch.tensor([[2, 5, 6, 3]]), "output_hidden_states": True}
        for _ in range(2):
            assert len(model(**shown).hidden_states) == len(model.encoder.layer) + 1
            assert len(short(**shown).hidden_states) == 2

    def test_the_whole_model_stays_as_it_is(self, model: Any) -> None:
        layers = len(model.encoder.layer)
        short = up_to(model, 1)
        assert len(short.encoder.layer) == 1
        assert len(model.encoder.layer) == layers > 1
        assert short.encoder.layer[0] is model.encoder.layer[0]


@pytest.mark.parametrize("kind", ["RobertaPreLayerNorm", "XLMRobertaXL", "MegatronBert"])
def test_a_model_that_scales_its_last_layer_is_read_whole(kind: str) -> None:
    """Else the layer that is looked at would be scaled, too, as it then is the last."""
    import transformers

    sizes = {"vocab_size": 50, "hidden_size": 32, "intermediate_size": 37}
    config = getattr(transformers, f"{kind}Config")(
        num_hidden_layers=3, num_attention_heads=2, **sizes
    )
    model = getattr(transformers, f"{kind}Model")(config).eval()
    assert up_to(model, 2) is model


def test_a_model_that_keeps_its_layers_elsewhere_is_read_whole() -> None:
    model = torch.nn.Linear(2, 2)
    assert up_to(model, 1) is model
