"""A student that leaves: the files that make it work where nothing of Concord is installed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

PARTS = Path(__file__).parent / "student"
# The words of a text, in which a tagger marks; it needs nothing else of ours.
WORDS = Path(__file__).parents[1] / "spans" / "words.py"
# The network of a student of images that is built in.
NETWORK = Path(__file__).parents[1] / "students" / "small_network.py"
# Which of our files runs a student of a kind, and which turns texts or images into the vectors of an encoder.
MODELS = {
    "head": "model.py",
    "finetune": "model_transformer.py",
    "image-finetune": "model_image.py",
    "contrastive": "model_transformer.py",
    "dual-encoder": "model_transformer.py",
    "label-attention": "model_transformer.py",
    "token-finetune": "model_tagger.py",
}
ENCODERS = {
    "minilm": "encode.py",
    "minilm-int8": "encode.py",
    "transformers": "encode.py",
    "sentence-transformers": "encode_sentences.py",
    "tfidf-svd": "encode_tfidf.py",
    "pixels-pca": "encode_pixels.py",
    "vision": "encode_vision.py",
}
# Of these, which look at images.
SEEING = ("model_image.py", "encode_pixels.py", "encode_vision.py")
NEEDS = {
    "model.py": ("numpy",),
    "model_transformer.py": ("numpy", "torch", "transformers", "safetensors"),
    "model_image.py": ("numpy", "torch", "safetensors", "pillow"),
    "model_tagger.py": ("numpy", "torch", "transformers", "safetensors"),
    "encode.py": ("torch", "transformers"),
    "encode_sentences.py": ("sentence-transformers",),
    "encode_tfidf.py": (),
    "encode_pixels.py": ("pillow",),
    "encode_vision.py": ("torch", "transformers", "pillow"),
}


def loader_of(kind: str, encoder: str | None, *, own_network: bool = False) -> dict[str, Path]:
    """Name in the folder -> our file, for a student of `kind` on vectors of `encoder`.

    `encoder` is None for a student that reads the texts or images itself; own_network: whether it looks at images by
    the built-in network. Empty for a kind of student that
    only Concord can run.
    """
    if kind not in MODELS:
        return {}
    files = {"__init__.py": PARTS / "__init__.py", "model.py": PARTS / MODELS[kind]}
    if MODELS[kind] == "model_tagger.py":
        files["words.py"] = WORDS
    if own_network:
        files["network.py"] = NETWORK
    if encoder in ENCODERS:
        files["encode.py"] = PARTS / ENCODERS[encoder]
    if any(path.name in SEEING for path in files.values()):
        files["pictures.py"] = PARTS / "pictures.py"
    return files


def needs(files: Mapping[str, Path]) -> list[str]:
    """The packages that these files import, for `pip install`."""
    named = [package for path in files.values() for package in NEEDS.get(path.name, ())]
    if PARTS / "model_image.py" in files.values() and NETWORK not in files.values():
        named.append("transformers")  # which loads a network by name
    return list(dict.fromkeys(named))


def about_encoder(
    name: str, params: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """What a folder tells of its encoder: enough to get the same one, no path of this machine."""
    model = str(params.get("name", ""))
    local = Path(model).is_absolute()
    told: dict[str, Any] = {
        "encoder": name,
        "name": Path(model).name if local else model,
        "revision": params.get("revision"),
        "local": local,
    }
    kept = ("tokens", "weights", "fingerprint", "parameters", "apart")
    return told | {key: manifest[key] for key in kept if key in manifest}
