"""llama.cpp's low-level interface, as much of it as the engine needs, with Python's manners.

One thread owns a `NativeContext`; `abort` and the vocabulary's methods alone may be called from
others. An assertion that fails inside ends the process, which is why the engine has its own.
"""

import ctypes
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

import llama_cpp.llama_cpp as llama
import numpy as np

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.compute_options import SMALL_BYTES, Computing

_log: deque[str] = deque(maxlen=20)  # the last warnings and errors of the library
_WARNING, _ERROR = 3, 4  # ggml_log_level; the comment in llama_cpp counts one too few
_SEED = 1
_KV_TYPES: Final = {"f16": llama.GGML_TYPE_F16, "q8_0": llama.GGML_TYPE_Q8_0}
_FLASH: Final = {"auto": -1, "off": 0, "on": 1}  # llama_flash_attn_type
_MARK_KINDS = llama.LLAMA_TOKEN_ATTR_CONTROL | llama.LLAMA_TOKEN_ATTR_USER_DEFINED


@llama.llama_log_callback  # type: ignore[untyped-decorator]  # the package has no types
def _keep_log(level: int, text: bytes | None, _: object) -> None:
    # The package's own callback raises on a line that is cut inside a character.
    if level in (_WARNING, _ERROR) and text:
        _log.append(text.decode("utf-8", "replace").strip())


@dataclass(frozen=True, slots=True)
class Feed:
    """Tokens for one sequence; the distribution after the last is wanted, or not."""

    sequence: int
    position: int
    tokens: Sequence[int]
    sample: bool


class DecodeOutcome(Enum):
    DONE = "done"
    NO_ROOM = "no room"  # nothing was computed; some sequence has to go first
    ABORTED = "aborted"  # part of it may have been computed


class NativeVocabulary:
    """The tokens of a loaded model; constant, so any thread may ask."""

    def __init__(self, model: int, vocabulary: int) -> None:
        self._model, self._vocabulary = model, vocabulary
        self.size: int = llama.llama_vocab_n_tokens(vocabulary)
        self._marks = {
            text: token
            for token in range(self.size)
            if llama.llama_vocab_get_attr(vocabulary, token) & _MARK_KINDS
            and (text := self._text(token)).strip()
        }
        bos: int = llama.llama_vocab_bos(vocabulary)
        self._leading = bos if llama.llama_vocab_get_add_bos(vocabulary) and bos >= 0 else None
        self._adds_space = False
        if llama.llama_vocab_type(vocabulary) == llama.LLAMA_VOCAB_TYPE_SPM:
            self._adds_space = self._text(self.tokenize("a")[0]).startswith("▁")

    @property
    def marks(self) -> Mapping[str, int]:
        return self._marks

    @property
    def leading_token(self) -> int | None:
        return self._leading

    @property
    def adds_space(self) -> bool:
        return self._adds_space

    def tokenize(self, text: str) -> list[int]:
        return self._tokenize(text, marks=False)

    def tokenize_with_marks(self, text: str) -> list[int]:
        """As `tokenize`, but marks in the text become special tokens: for trusted text alone."""
        return self._tokenize(text, marks=True)

    def bytes_of(self, token: int) -> bytes:
        """UTF-8 of a token, perhaps a part of a character; nothing for a special one."""
        buffer = ctypes.create_string_buffer(512)
        length = llama.llama_token_to_piece(self._vocabulary, token, buffer, 512, 0, False)
        return buffer.raw[: max(0, length)]

    def ends_turn(self, token: int) -> bool:
        return bool(llama.llama_vocab_is_eog(self._vocabulary, token))

    def _tokenize(self, text: str, *, marks: bool) -> list[int]:
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        tokens = (llama.llama_token * room)()
        n = llama.llama_tokenize(self._vocabulary, data, len(data), tokens, room, False, marks)
        return list(tokens[:n])

    def _text(self, token: int) -> str:
        text: bytes | None = llama.llama_vocab_get_text(self._vocabulary, token)
        return (text or b"").decode("utf-8", "replace")


class NativeModel:
    """A model in memory; any number of contexts compute with its weights."""

    def __init__(self, path: Path, *, computing: Computing) -> None:
        """Load it.

        Raises:
            ModelError: llama.cpp can't load it; says what it logged.
        """
        quiet()
        llama.llama_backend_init()
        parameters = llama.llama_model_default_params()
        parameters.use_extra_bufts = computing.repack
        if path.stat().st_size <= SMALL_BYTES:
            # Into memory of large pages where the kernel gives them: 4 to 9 % faster than a map
            # of the file, whose pages are small. A large model would be in memory twice.
            parameters.load_mode = llama.LLAMA_LOAD_MODE_NONE
        model: int = llama.llama_model_load_from_file(str(path).encode(), parameters)
        if not model:
            raise ModelError(
                f"llama.cpp can't load {path}: {last_log()}. Bring a file of an architecture that "
                "this version knows, or one with less memory need."
            )
        self.path, self.native, self.computing = path, model, computing
        self.vocabulary = NativeVocabulary(model, llama.llama_model_get_vocab(model))
        self.shares_prefixes = not (
            llama.llama_model_is_recurrent(model) or llama.llama_model_is_hybrid(model)
        )


class NativeContext:
    """Several sequences of tokens, and what a model computed of them."""

    def __init__(
        self,
        model: NativeModel,
        *,
        context_tokens: int,
        sequences: int,
        batch_tokens: int,
        temperature: float,
    ) -> None:
        """Make room.

        Args:
            context_tokens: Over all sequences together.
            batch_tokens: Most tokens of one `decode`.
            temperature: 0: the likeliest token each time.

        Raises:
            ModelError: There is not enough memory.
        """
        computing = model.computing
        context = llama.llama_context_default_params()
        context.n_ctx, context.n_seq_max = context_tokens, sequences
        context.n_batch = context.n_ubatch = batch_tokens
        context.n_threads = computing.threads
        context.n_threads_batch = computing.threads_batch
        context.flash_attn_type = _FLASH[computing.flash_attention]
        context.type_k = context.type_v = _KV_TYPES[computing.kv_cache]
        context.kv_unified = context.swa_full = True  # so that sequences can share tokens
        self._context: int = llama.llama_init_from_model(model.native, context)
        if not self._context:
            raise ModelError(
                f"No memory for {context_tokens} tokens of context with {model.path.name}: "
                f"{last_log()}. Lower generation.context_tokens."
            )
        self._memory = llama.llama_get_memory(self._context)
        self.vocabulary, self.shares_prefixes = model.vocabulary, model.shares_prefixes
        self._batch = _Batch(batch_tokens)
        self._sampler = _sampler(temperature) if temperature > 0 else None
        self._stop_flag = ctypes.create_string_buffer(2)
        # Asked between the operations of a step. A C function that reads the flag costs nothing;
        # a Python one would wait for the interpreter's lock a thousand times a step. strlen of
        # the flag is 0 (go on) or 1 (stop).
        strlen = ctypes.CDLL(None).strlen
        address = ctypes.cast(strlen, ctypes.c_void_p).value
        llama.llama_set_abort_callback(
            self._context,
            llama.ggml_abort_callback(address),
            ctypes.cast(self._stop_flag, ctypes.c_void_p),
        )

    def close(self) -> None:
        """Give its memory back; nothing may be asked of it afterwards."""
        llama.llama_free(self._context)

    def abort(self) -> None:
        """Make the `decode` that is running, if any, end early; from any thread."""
        self._stop_flag[0] = b"\x01"

    def set_threads(self, threads: int, threads_batch: int) -> None:
        """Use so many from the next step on: of one token, and of any other."""
        llama.llama_set_n_threads(self._context, threads, threads_batch)

    def new_sampler(self) -> int | None:
        """A sampler of one answer's own, from the same seed; `free_sampler` lets go of it."""
        if self._sampler is None:
            return None
        sampler: int = llama.llama_sampler_clone(self._sampler)
        return sampler

    def free_sampler(self, sampler: int | None) -> None:
        if sampler is not None:
            llama.llama_sampler_free(sampler)

    def decode(self, feeds: Sequence[Feed]) -> tuple[DecodeOutcome, dict[int, int]]:
        """Compute the feeds' tokens in one step.

        Returns:
            The outcome, and by sequence the place of its distribution, for `sample`.

        Raises:
            RuntimeError: llama.cpp failed for good; the process should end.
        """
        places = self._batch.fill(feeds)
        self._stop_flag[0] = b"\x00"
        code = llama.llama_decode(self._context, self._batch.native)
        if code == 0:
            return DecodeOutcome.DONE, places
        if code == 1:
            return DecodeOutcome.NO_ROOM, {}
        if code == 2:
            return DecodeOutcome.ABORTED, {}
        raise RuntimeError(f"llama_decode gave {code}: {last_log()}")

    def sample(self, sampler: int | None, place: int) -> int:
        """The next token after a place that `decode` named."""
        if sampler is None:
            # llama.cpp's own would first copy the whole vocabulary into a list of candidates,
            # which for a small model costs a tenth of the step.
            logits = llama.llama_get_logits_ith(self._context, place)
            return int(np.ctypeslib.as_array(logits, shape=(self.vocabulary.size,)).argmax())
        token: int = llama.llama_sampler_sample(sampler, self._context, place)
        return token

    def copy(self, source: int, target: int, length: int) -> None:
        """Let `target`, an empty sequence, begin with the first `length` tokens of `source`."""
        llama.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def forget(self, sequence: int, *, after: int = 0) -> bool:
        """Drop a sequence's tokens from position `after` on; False: only all can be dropped."""
        return bool(llama.llama_memory_seq_rm(self._memory, sequence, after or -1, -1))


def quiet() -> None:
    """Have the library's log kept here, and printed nowhere."""
    llama.llama_log_set(_keep_log, None)


def last_log() -> str:
    """The library's last warnings and errors, on one line."""
    return " | ".join(list(_log)[-4:]) or "it gave no reason"


class _Batch:
    """The arrays of a llama_batch, filled by slices: a loop over its fields takes longer."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._tokens = np.zeros(size, np.int32)
        self._positions = np.zeros(size, np.int32)
        self._counts = np.ones(size, np.int32)  # each token is of one sequence
        self._sequences = np.zeros(size, np.int32)
        self._wanted = np.zeros(size, np.int8)
        pointer = ctypes.POINTER(llama.llama_seq_id)
        first, width = self._sequences.ctypes.data, self._sequences.itemsize
        self._pointers = (pointer * size)(
            *(ctypes.cast(first + k * width, pointer) for k in range(size))
        )
        self.native = llama.llama_batch(
            n_tokens=0,
            token=self._tokens.ctypes.data_as(ctypes.POINTER(llama.llama_token)),
            embd=None,
            pos=self._positions.ctypes.data_as(ctypes.POINTER(llama.llama_pos)),
            n_seq_id=self._counts.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=ctypes.cast(self._pointers, ctypes.POINTER(pointer)),
            logits=self._wanted.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def fill(self, feeds: Sequence[Feed]) -> dict[int, int]:
        """Take the feeds' tokens; by sequence the place of the distribution that is wanted."""
        # llama.cpp would write beyond the arrays without a word.
        if sum(len(feed.tokens) for feed in feeds) > self._size:
            raise ValueError(f"more than {self._size} tokens in one step")
        self._wanted[:] = 0
        places: dict[int, int] = {}
        n = 0
        for feed in feeds:
            end = n + len(feed.tokens)
            self._tokens[n:end] = feed.tokens
            self._positions[n:end] = np.arange(feed.position, feed.position + end - n)
            self._sequences[n:end] = feed.sequence
            if feed.sample:
                self._wanted[end - 1] = 1
                places[feed.sequence] = end - 1
            n = end
        self.native.n_tokens = n
        return places


def _sampler(temperature: float) -> int:
    chain: int = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    for step in (
        llama.llama_sampler_init_top_p(0.95, 1),
        llama.llama_sampler_init_temp(temperature),
        llama.llama_sampler_init_dist(_SEED),
    ):
        llama.llama_sampler_chain_add(chain, step)
    return chain
