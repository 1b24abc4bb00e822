"""Text encoders by model name: from a hub's cache, a hub, or a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from learning.encoders.fingerprint import fingerprint
from learning.encoders.pooled import LOADING, PooledText, load_pooled, weights_name
from learning.errors import DamagedFileError, ModelUnavailableError, ParameterError, ShapeError
from learning.registry import parameters_of
from learning.storage import finish_folder, read_manifest

if TYPE_CHECKING:
    from learning.encoders import Items, Ready


@dataclass(frozen=True, kw_only=True)
class Transformers:
    """Encode texts by any transformers model, averaging the last layer over the real tokens.
    Source: Reimers, Gurevych 2019.

    name: a folder or a name on the hub; revision: a commit there, None for what is current;
    tokens: longer texts are cut.
    """

    modality: ClassVar[Literal["text", "image"]] = "text"

    name: str
    revision: str | None = None
    tokens: int = 128

    def __post_init__(self) -> None:
        check_model(self.name, self.tokens)

    def fit(self, sample: "Items" = ()) -> PooledText:
        """Load it. Raises ModelUnavailableError when it cannot be found or reached."""
        parts = {"encoder": "transformers", **parameters_of(self)}
        return load_pooled(self.name, self.revision, self.tokens, parts)

    @classmethod
    def load(cls, folder: Path) -> PooledText:
        """The encoder that `folder` names, refused when its weights have changed."""
        manifest = read_manifest(folder)
        ready = cls(**_parameters(manifest, ("name", "revision", "tokens"))).fit()
        refuse_other_weights(ready, manifest)
        return ready


@dataclass(frozen=True, kw_only=True)
class SentenceTransformers:
    """Encode texts by a sentence-transformers model with the pooling that it was trained with.
    Source: Reimers, Gurevych 2019.

    name: a folder or a name on the hub; revision: a commit there, None for what is current.
    Code from the model's repository never runs.
    """

    modality: ClassVar[Literal["text", "image"]] = "text"

    name: str
    revision: str | None = None

    def __post_init__(self) -> None:
        check_model(self.name, 1)

    def fit(self, sample: "Items" = ()) -> "SentenceModel":
        """Load it. Raises ModelUnavailableError when it cannot be found or reached."""
        local = Path(self.name).is_dir()
        with LOADING:
            model = self._loaded(local_files_only=local)
        commit = weights_name(Path(self.name)) if local else _commit(model)
        parts = {"encoder": "sentence-transformers", **parameters_of(self), "weights": commit}
        return SentenceModel(model=model, parts=parts)

    def _loaded(self, *, local_files_only: bool) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(
                self.name,
                revision=self.revision,
                trust_remote_code=False,
                local_files_only=local_files_only,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError) as error:
            raise ModelUnavailableError(
                f"The model {self.name} cannot be loaded: {error}"
            ) from error

    @classmethod
    def load(cls, folder: Path) -> "SentenceModel":
        """The encoder that `folder` names, refused when its weights have changed."""
        manifest = read_manifest(folder)
        ready = cls(**_parameters(manifest, ("name", "revision"))).fit()
        refuse_other_weights(ready, manifest)
        return ready


@dataclass(frozen=True, kw_only=True)
class SentenceModel:
    """A loaded sentence-transformers model; `parts` is what the fingerprint is made of."""

    model: Any
    parts: dict[str, Any]

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return int(self.model.get_sentence_embedding_dimension())

    @property
    def fingerprint(self) -> str:
        """Hex name of parameters and weights."""
        return fingerprint(self.parts)

    def encode(self, items: "Items") -> NDArray[np.float32]:
        """(n, d) unit rows in the order of the texts (the model sorts by length itself)."""
        texts = list(items)
        if any(not isinstance(text, str) for text in texts):
            raise ShapeError("A text encoder encodes strings.")
        if not texts:
            return np.empty((0, self.dimensions), dtype=np.float32)
        vectors = self.model.encode(
            texts, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write which model this is; the weights stay where they came from."""
        folder.mkdir(parents=True, exist_ok=True)
        finish_folder(folder, {**self.parts, "fingerprint": self.fingerprint})


def check_model(name: str, tokens: int) -> None:
    """Refuse an empty name or no tokens, before anything is loaded."""
    if not name.strip():
        raise ParameterError("An encoder by name needs the name of a model.")
    if tokens < 1:
        raise ParameterError("An encoder reads at least one token.")


def refuse_other_weights(ready: "Ready", manifest: dict[str, Any]) -> None:
    """Raise DamagedFileError when the loaded weights are not those that the manifest names."""
    if ready.fingerprint != manifest.get("fingerprint"):
        raise DamagedFileError(
            f"The model {manifest.get('name')} has other weights than when it was first used."
        )


def _parameters(manifest: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: manifest[name] for name in names}


def _commit(model: Any) -> str:
    for module in model:
        commit = getattr(getattr(module, "auto_model", None), "config", None)
        found = getattr(commit, "_commit_hash", None)
        if found:
            return str(found)
    raise ModelUnavailableError("The model does not say which revision it is; name a folder.")
