"""A small model's weights in a form that CPUs multiply fast.

llama.cpp has no kernel for Q4_1 and Q5_1 that multiplies several tokens at once: eight answers
together, or a prompt, cost nearly as much as their tokens one by one. In Q8_0 the same weights
differ by at most 1/254 of the largest in their block, and prompts are read nearly twice as fast.
The copy is twice as large, which a small model bears; a large one waits for memory and would
lose by it.
"""

from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from sovereign_rag.generation.compute_options import SMALL_BYTES
from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.settings import Settings

_SLOW: Final = {3, 9}  # llama.cpp's file types Q4_1, Q5_1
_Q8_0: Final = 7
ARRANGED_INTO: Final = "q8_0"
_LONGEST_WAIT_S: Final = 120.0  # for another process that makes the same copy


def arranged_copy(settings: Settings, header: GgufHeader, sha256: str) -> Path | None:
    """Where the fast copy of a model is, or will be; None: the file itself is used."""
    if settings.generation.weights == "as_is":
        return None
    if header.quantization not in _SLOW or header.size > SMALL_BYTES:
        return None
    return settings.models_dir / "arranged" / f"{header.path.stem}-{sha256[:16]}.Q8_0.gguf"


def arrange(source: Path, target: Path, *, sha256: str) -> Path:
    """Make the copy unless it is there; in the engine's process, for llama.cpp does it.

    Args:
        sha256: Of the file that the copy is to be of. Where `source` holds something else by now,
            no copy is made: it would be taken for the right one ever after.

    Returns:
        The copy, or `source` where none can be made, e.g. on a full disk: it answers, slower.
    """
    import llama_cpp.llama_cpp as llama

    try:
        if target.is_file():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock", timeout=_LONGEST_WAIT_S):
            if target.is_file():
                return target
            if hash_file(source) != sha256:
                return source
            scratch = target.with_suffix(".part")
            parameters = llama.llama_model_quantize_default_params()
            parameters.ftype, parameters.allow_requantize = _Q8_0, True
            try:
                code = llama.llama_model_quantize(
                    str(source).encode(), str(scratch).encode(), parameters
                )
                # A full disk is found when the size is not what a whole file has.
                if code != 0 or scratch.stat().st_size < source.stat().st_size:
                    return source
                scratch.replace(target)
            finally:
                scratch.unlink(missing_ok=True)
    except (OSError, Timeout):
        return source
    return target
