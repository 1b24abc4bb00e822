"""Language models of a few thousand weights, made on the spot: real files, real tokenizers."""

from pathlib import Path
from typing import Any

WORDS = (
    "Billing Delivery Login late parcel refund money password yes no the a label label's name fit "
    "it answer or : . , ? - < > text items item choose one that fits best labels you for each does"
)


def tiny_causal(folder: Path, *, chat: bool = False, seed: int = 0) -> Path:
    """A random causal model with a byte-level tokenizer, saved as its makers would save it."""
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = _tokenizer(chat=chat)
    torch.manual_seed(seed)
    model = LlamaForCausalLM(_config(tokenizer, hidden_size=32, num_hidden_layers=2)).eval()
    return _saved(folder, tokenizer, model)


def tiny_masked(folder: Path, kind: str = "bert", *, part: str = "ForMaskedLM") -> Path:
    """A random encoder with a word list of its own, that reads 64 tokens: with a head for gaps, or
    the `part` that is named.
    """
    import torch
    import transformers

    tokenizer = _word_pieces()
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
    # RoBERTa counts places from behind that of its padding.
    places = 64 + (tokenizer.pad_token_id + 1 if kind == "roberta" else 0)
    made = {"bert": "Bert", "roberta": "Roberta"}[kind]
    config = getattr(transformers, f"{made}Config")(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        max_position_embeddings=places,
        pad_token_id=tokenizer.pad_token_id,
        type_vocab_size=2,
        initializer_range=0.5,  # random, but not the same for every word
        **sizes,
    )
    torch.manual_seed(0)
    model = getattr(transformers, f"{made}{part}")(config).eval()
    return _saved(folder, tokenizer, model)


def says_always(folder: Path, answer: str) -> Path:
    """A causal model that writes one answer and ends, whatever it was told: each token decides the
    next one alone, and every token but the answer is followed by the answer.
    """
    import torch
    from transformers import LlamaForCausalLM

    tokenizer = _tokenizer(chat=True)
    tokenizer.add_tokens([answer])
    told = tokenizer.convert_tokens_to_ids(answer)
    words = len(tokenizer) + (-len(tokenizer) % 8)
    model = LlamaForCausalLM(_config(tokenizer, hidden_size=words, num_hidden_layers=1)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                weight.zero_()  # what was read before has no say
        model.model.embed_tokens.weight.copy_(torch.eye(words)[: len(tokenizer)])
        model.lm_head.weight.zero_()
        model.lm_head.weight[told] = 1.0
        model.lm_head.weight[told, told] = 0.0
        model.lm_head.weight[tokenizer.eos_token_id, told] = 1.0
    return _saved(folder, tokenizer, model)


def _tokenizer(*, chat: bool) -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([WORDS] * 5, trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<s>", eos_token="</s>", pad_token="</s>"
    )
    if chat:
        tokenizer.chat_template = (
            "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
            "{% if add_generation_prompt %}<s>assistant: {% endif %}"
        )
    return tokenizer


def _word_pieces() -> Any:
    """Words, the letters that they are made of, and marks around a text, as BERT has them."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    marks = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    letters = sorted(set(WORDS.lower()) - {" "})
    words = dict.fromkeys([*marks, *letters, *(f"##{x}" for x in letters), *WORDS.lower().split()])
    place = {word: number for number, word in enumerate(words)}
    made = Tokenizer(models.WordPiece(place, unk_token="[UNK]"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(mark, place[mark]) for mark in marks[2:4]]
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(tokenizer_object=made, **dict(zip(names, marks, strict=True)))


def _config(tokenizer: Any, **sizes: int) -> Any:
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        intermediate_size=64,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        tie_word_embeddings=False,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        **sizes,
    )


def _saved(folder: Path, tokenizer: Any, model: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


# By name: the classes of transformers, and how small; each sees 32 × 32 pixels.
TINY_VISION = {
    "vit": ("ViT", {"patch_size": 8}),
    "dinov2": ("Dinov2WithRegisters", {"patch_size": 8}),
    "clip": ("CLIP", {}),
    "swin": ("Swin", {"patch_size": 4, "embed_dim": 8, "depths": [1, 1], "num_heads": [1, 2]}),
    "convnext": ("ConvNext", {"hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]}),
    "resnet": (
        "ResNet",
        {"embedding_size": 8, "hidden_sizes": [8, 8, 8, 16], "depths": [1, 1, 1, 1]},
    ),
}


def tiny_vision(folder: Path, kind: str) -> Path:
    """A random vision model with its image processor, saved as its makers would save it."""
    import torch
    import transformers

    made, sizes = TINY_VISION[kind]
    if kind in ("vit", "dinov2", "clip"):
        shared = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        sizes = {**shared, "image_size": 32, **sizes}
    if kind == "swin":
        sizes = {**sizes, "image_size": 32, "window_size": 4}
    if kind == "clip":
        texts = {**sizes, "intermediate_size": 64, "vocab_size": 99}
        texts |= {"bos_token_id": 1, "eos_token_id": 2}
        sizes = {"text_config": texts, "vision_config": {**texts, "patch_size": 8}}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = getattr(transformers, f"{made}Config")(**sizes)
        model = getattr(transformers, f"{made}Model")(config).eval()
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    transformers.ViTImageProcessor(size=size).save_pretrained(folder)
    return folder
