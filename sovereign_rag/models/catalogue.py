"""The catalogue: Mistral's open models that suit, where to get them, what they need.

The list stands in `catalogue.toml`. Memory follows by arithmetic from a model's shape; speed is
measured for two of them on one machine and reasoned from there for the others.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from typing import Final

from sovereign_rag.errors import NotFound

_BYTES_OF_A_NUMBER: Final = 2  # the cache of keys and values is kept in half precision
_WORKING_BYTES: Final = 400 << 20  # buffers of a batch of 512 tokens, tokenizer, the process

# Measured with Q4_K_M files of exact shape on 2 cores with AVX-512 VNNI, prompts of 512 tokens and
# no weights repacked (docs/models.md): tokens per second read and written.
_MEASURED: Final = {
    "mistral-7b-instruct-v0.3-q4_k_m": (22.1, 4.8),
    "ministral-3-3b-instruct-2512-q4_k_m": (47.0, 9.3),
}
_MEASURED_CORES: Final = 2
# Reading is arithmetic: the 7B's 22.1 tokens/s x 7.25e9 parameters / 2 cores.
_PARAMETERS_READ_PER_CORE_S: Final = 80e9
# Writing is a walk through all weights per token: the 7B's 4.8 tokens/s x 4.37 GB / 2 cores.
_BYTES_WRITTEN_PER_CORE_S: Final = 10.5e9
_CORES_THAT_FILL_THE_MEMORY_BUS: Final = 8


@dataclass(frozen=True, slots=True)
class Speed:
    """What to expect of a model on a CPU; half or double is no surprise."""

    reading: float  # tokens of prompt a second
    writing: float  # tokens of answer a second, for one caller
    measured: bool  # False: reasoned from the measured ones


@dataclass(frozen=True, slots=True)
class CatalogueModel:
    """A file of the catalogue. Its name is what the settings and commands call it."""

    name: str
    title: str
    repository: str  # on the hub
    file: str
    revision: str  # the commit, or a branch
    size: int  # bytes
    sha256: str
    quantization: str
    parameters: int
    layers: int
    kv_heads: int
    head_size: int
    context_tokens: int  # that it was trained for
    licence: str
    languages: Sequence[str]  # ISO 639-1, as its publisher says; none: it does not
    limits: str
    use: str

    @property
    def kv_bytes_per_token(self) -> int:
        """Bytes of keys and values that one token of context takes."""
        return 2 * self.layers * self.kv_heads * self.head_size * _BYTES_OF_A_NUMBER

    def memory(self, context_tokens: int) -> int:
        """Bytes of memory with so much context: weights, keys and values, working space."""
        return self.size + context_tokens * self.kv_bytes_per_token + _WORKING_BYTES

    def speed(self, cores: int) -> Speed:
        """What to expect on so many physical cores."""
        known = _MEASURED.get(self.name)
        if known is not None and cores == _MEASURED_CORES:
            return Speed(*known, measured=True)
        bus = min(cores, _CORES_THAT_FILL_THE_MEMORY_BUS)
        return Speed(
            reading=cores * _PARAMETERS_READ_PER_CORE_S / self.parameters,
            writing=bus * _BYTES_WRITTEN_PER_CORE_S / self.size,
            measured=False,
        )


@cache
def catalogue() -> tuple[CatalogueModel, ...]:
    """Every model of the catalogue, in its order."""
    text = (resources.files("sovereign_rag.models") / "catalogue.toml").read_text(encoding="utf-8")
    return tuple(CatalogueModel(**entry) for entry in tomllib.loads(text)["model"])


def by_name(name: str) -> CatalogueModel | None:
    """The model of that name, whatever its letters' case; None: the catalogue has none."""
    return next((model for model in catalogue() if model.name == name.lower()), None)


def by_hash(sha256: str) -> CatalogueModel | None:
    """The model whose file has this hash."""
    return next((model for model in catalogue() if model.sha256 == sha256), None)


def require(name: str, models: Sequence[CatalogueModel]) -> CatalogueModel:
    """The model of that name among `models`.

    Raises:
        NotFound: There is none; the message names the nearest.
    """
    names = [model.name for model in models]
    if name.lower() in names:
        return models[names.index(name.lower())]
    near = get_close_matches(name.lower(), names, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise NotFound(
        f"The catalogue has no model {name!r}.{hint} `sovereign-rag models catalogue` lists them; "
        "a file that is not in it is brought by `sovereign-rag models import FILE`."
    )
