"""The language model: the real SmolLM2 in its own process, for several callers at once."""

import os
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sovereign_rag.errors import BadInput, Busy, GenerationError, ModelError, ModelMissing
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message
from sovereign_rag.generation.text_stream import TextStream
from sovereign_rag.models import bundled
from sovereign_rag.settings import Settings
from tests.generation.opening import SYSTEM, opened

QUESTION = Message("user", "Which three colours has the flag of France?")
STORY = Message("user", "Tell a very long story about a fox, a crow and a piece of cheese.")
PASSAGE = Message("user", "The lease ends with three months' notice. " * 24 + "Sum it up.")


def ask(
    language_model: LlamaCppModel,
    *messages: Message,
    tenant: str = "a",
    max_tokens: int = 24,
    stop: Sequence[str] = (),
    timeout_s: float | None = None,
) -> tuple[str, Delta]:
    pieces = list(
        language_model.stream(
            CompletionRequest(
                messages, tenant=tenant, max_tokens=max_tokens, stop=stop, timeout_s=timeout_s
            )
        )
    )
    return "".join(piece.text for piece in pieces), pieces[-1]


@pytest.mark.model
def test_an_answer_comes_piece_by_piece_and_its_end_tells_what_it_took(
    language_model: LlamaCppModel,
) -> None:
    pieces = list(language_model.stream(CompletionRequest([QUESTION], tenant="a", max_tokens=12)))

    assert len(pieces) > 6
    assert [piece.finish for piece in pieces[:-1]] == [None] * (len(pieces) - 1)
    assert pieces[-1].finish == "length"
    assert pieces[-1].completion_tokens == 12
    assert pieces[-1].prompt_tokens == language_model.count_tokens([QUESTION])


@pytest.mark.model
def test_the_model_ends_its_turn_by_itself(language_model: LlamaCppModel) -> None:
    text, last = ask(language_model, Message("user", "Say only: hello"), max_tokens=200)

    assert last.finish == "stop"
    assert "<|im_end|>" not in text


@pytest.mark.model
def test_the_same_question_alone_gets_the_same_answer(settings: Settings) -> None:
    fresh = opened(settings)

    answers = [ask(fresh, SYSTEM, PASSAGE, max_tokens=40) for _ in range(3)]
    fresh.close()

    assert len({text for text, _ in answers}) == 1
    assert answers[0][1].cached_tokens == 0
    assert answers[1][1].cached_tokens > 150


@pytest.mark.model
def test_callers_at_once_get_each_their_own_answer(language_model: LlamaCppModel) -> None:
    words = ["river", "candle", "tiger", "bread", "lemon", "garden"]

    def echo(word: str) -> str:
        return ask(language_model, Message("user", f"Repeat this word three times: {word}"))[0]

    with ThreadPoolExecutor(len(words)) as pool:
        answers = list(pool.map(echo, words))

    assert [
        word for word, text in zip(words, answers, strict=True) if word in text.lower()
    ] == words


@pytest.mark.model
def test_a_long_prompt_does_not_stop_a_running_answer(language_model: LlamaCppModel) -> None:
    story = language_model.stream(CompletionRequest([STORY], tenant="a", max_tokens=160))
    next(story)
    read = threading.Event()
    long = Message("user", "one two three four five six seven eight nine ten " * 50)

    def read_long() -> None:
        ask(language_model, long, tenant="b", max_tokens=2)
        read.set()

    thread = threading.Thread(target=read_long)
    thread.start()
    beside = sum(1 for piece in story if not read.is_set() and piece.text)
    thread.join()

    assert beside > 5  # one word for each block of the prompt at least


@pytest.mark.model
def test_cancelling_ends_an_answer_and_frees_its_place(settings: Settings) -> None:
    narrow = opened(settings, slots=1, queue=0)
    cancel = threading.Event()
    story = narrow.stream(CompletionRequest([STORY], tenant="a", max_tokens=1500, cancel=cancel))
    next(story)
    with pytest.raises(Busy) as refusal:
        narrow.stream(CompletionRequest([QUESTION], tenant="b", max_tokens=4))

    cancel.set()
    last = list(story)[-1]
    _, after = ask(narrow, QUESTION, tenant="b", max_tokens=4)
    narrow.close()

    assert refusal.value.retry_after_s >= 1
    assert last.finish == "cancelled"
    assert last.completion_tokens < 1500
    assert after.finish == "length"


@pytest.mark.model
def test_a_prompt_that_is_being_read_can_be_cancelled(settings: Settings) -> None:
    narrow = opened(settings, slots=1)
    long = Message("user", "one two three four five six seven eight nine ten " * 150)
    cancel = threading.Event()
    reading = narrow.stream(CompletionRequest([long], tenant="a", max_tokens=16, cancel=cancel))

    cancel.set()
    pieces = list(reading)
    text, last = ask(narrow, QUESTION, max_tokens=6)
    narrow.close()

    assert [piece.finish for piece in pieces] == ["cancelled"]
    assert pieces[0].completion_tokens == 0
    assert (bool(text), last.completion_tokens) == (True, 6)


@pytest.mark.model
def test_an_answer_that_nobody_reads_on_frees_its_place(settings: Settings) -> None:
    narrow = opened(settings, slots=1, queue=1)
    story = narrow.stream(CompletionRequest([STORY], tenant="a", max_tokens=3000))
    next(story)

    del story
    _, last = ask(narrow, QUESTION, max_tokens=4)  # waits for the only place
    narrow.close()

    assert last.finish == "length"


@pytest.mark.model
def test_a_stop_string_ends_the_answer_and_is_not_part_of_it(
    language_model: LlamaCppModel,
) -> None:
    whole, _ = ask(language_model, STORY, max_tokens=30)
    stop = whole[20:26]

    text, last = ask(language_model, STORY, max_tokens=30, stop=[stop])

    assert last.finish == "stop"
    assert stop not in text
    assert whole.startswith(text)


@pytest.mark.model
def test_a_prompt_beyond_the_context_is_refused_and_a_shorter_one_taken(
    language_model: LlamaCppModel,
) -> None:
    room = language_model.info.context_tokens - language_model.count_tokens([QUESTION])

    with pytest.raises(BadInput, match=r"generation\.context_tokens"):
        language_model.stream(CompletionRequest([QUESTION], tenant="a", max_tokens=room + 1))
    with pytest.raises(BadInput):
        language_model.stream(
            CompletionRequest([Message("user", "word " * 5000)], tenant="a", max_tokens=16)
        )
    fitting = language_model.stream(CompletionRequest([QUESTION], tenant="a", max_tokens=room))

    assert next(fitting).finish is None
    del fitting


@pytest.mark.model
def test_a_killed_engine_fails_its_answers_and_the_next_call_has_a_new_one(
    language_model: LlamaCppModel,
) -> None:
    story = language_model.stream(CompletionRequest([STORY], tenant="a", max_tokens=1500))
    next(story)
    first = language_model.engine_pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    with pytest.raises(GenerationError, match="signal 9"):
        list(story)
    _, last = ask(language_model, QUESTION, max_tokens=4)

    assert last.completion_tokens == 4
    assert language_model.engine_pid not in (None, first)


@pytest.mark.model
def test_a_file_that_was_exchanged_is_not_loaded_in_place_of_the_pinned_one(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "house.gguf"
    shutil.copyfile(bundled.smollm2(), path)
    pinned = opened(settings, model=path, sha256=bundled.SMOLLM2_SHA256)
    path.write_bytes(path.read_bytes()[:-1] + b"\x01")
    with pytest.raises(ModelError, match=r"generation\.sha256"):
        pinned.count_tokens([QUESTION])
    shutil.copyfile(bundled.smollm2(), path)
    counted = pinned.count_tokens([QUESTION])
    pinned.close()

    assert counted > 0


@pytest.mark.model
def test_closing_ends_the_process_whatever_it_does(settings: Settings) -> None:
    closing = opened(settings)
    story = closing.stream(CompletionRequest([STORY], tenant="a", max_tokens=1500))
    next(story)
    pid = closing.engine_pid
    assert pid is not None

    closing.close()

    with pytest.raises(GenerationError):
        list(story)
    with pytest.raises(GenerationError, match="closed"):
        closing.count_tokens([QUESTION])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.model
def test_the_engine_does_not_outlive_a_killed_parent() -> None:
    program = (
        "from sovereign_rag.generation.llama_cpp import LlamaCppModel\n"
        "from sovereign_rag.generation.protocol import CompletionRequest, Message\n"
        "from sovereign_rag.settings import load_settings\n"
        "generator = LlamaCppModel.open(load_settings())\n"
        "asked = [Message('user', 'A story')]\n"
        "story = generator.stream(CompletionRequest(asked, tenant='a', max_tokens=3000))\n"
        "next(story)\n"
        "print(generator.engine_pid, flush=True)\n"
        "list(story)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        engine = os.pidfd_open(int(parent.stdout.readline()))

        parent.kill()
        ended, _, _ = select.select([engine], [], [], 60)
        os.close(engine)

    assert ended


@pytest.mark.model
def test_an_answer_beyond_its_time_ends_with_the_setting_to_raise(settings: Settings) -> None:
    short = opened(settings, timeout_s=4, slots=1)

    story = short.stream(CompletionRequest([STORY], tenant="a", max_tokens=3000))
    with pytest.raises(GenerationError, match=r"generation\.timeout_s"):
        list(story)
    _, last = ask(short, QUESTION, max_tokens=2, timeout_s=600)
    short.close()

    assert last.completion_tokens == 2


@pytest.mark.model
def test_nothing_computed_for_one_tenant_is_reused_for_another(settings: Settings) -> None:
    fresh = opened(settings)

    first = ask(fresh, SYSTEM, PASSAGE, tenant="a", max_tokens=4)[1]
    same = ask(fresh, SYSTEM, PASSAGE, tenant="a", max_tokens=4)[1]
    other = ask(fresh, SYSTEM, PASSAGE, tenant="b", max_tokens=4)[1]
    private = Message("system", SYSTEM.content + "Tenant a's own rule.")
    own = ask(fresh, private, PASSAGE, tenant="a", max_tokens=4)[1]
    foreign = ask(fresh, private, PASSAGE, tenant="b", max_tokens=4)[1]
    fresh.close()

    system_alone = 128  # tokens of SYSTEM, roughly
    assert first.cached_tokens == 0
    assert same.cached_tokens > 150
    assert 0 < other.cached_tokens <= system_alone
    assert own.cached_tokens > 0
    # The private system text of another is not reused, though it begins like the public one.
    assert foreign.cached_tokens <= other.cached_tokens


@pytest.mark.model
def test_more_callers_than_the_context_holds_wait_and_all_are_answered(
    settings: Settings,
) -> None:
    tight = opened(settings, context_tokens=512, slots=4)

    def one(number: int) -> Delta:
        text = Message("user", f"Number {number}. " + "The sky is blue. " * 25)
        return ask(tight, text, tenant=f"t{number % 2}", max_tokens=60)[1]

    with ThreadPoolExecutor(6) as pool:
        lasts = list(pool.map(one, range(6)))
    tight.close()

    assert all(last.finish in ("stop", "length") for last in lasts)


@pytest.mark.model
def test_sampling_at_a_temperature_repeats_itself_from_its_seed(settings: Settings) -> None:
    warm = opened(settings, temperature=0.9)

    texts = {ask(warm, STORY, max_tokens=20)[0] for _ in range(2)}
    warm.close()

    assert len(texts) == 1


@pytest.mark.model
def test_messages_out_of_turn_still_make_a_prompt(language_model: LlamaCppModel) -> None:
    turns = [SYSTEM, QUESTION, Message("assistant", "Blue, white, red."), STORY]

    assert language_model.count_tokens(turns) > language_model.count_tokens([SYSTEM, QUESTION])


def test_a_model_is_described_without_being_loaded(settings: Settings) -> None:
    idle = opened(settings, context_tokens=100_000)

    assert idle.info.architecture == "llama"
    assert idle.info.parameters > 130_000_000
    assert idle.info.context_tokens == 8192  # no more than the model knows
    assert idle.engine_pid is None


def test_a_missing_file_says_how_to_bring_one(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"generation\.model"):
        opened(settings, model=tmp_path / "nowhere.gguf")


def test_another_hash_than_expected_is_refused(settings: Settings) -> None:
    with pytest.raises(ModelError, match=r"generation\.sha256"):
        opened(settings, sha256="0" * 64)


@pytest.mark.model
def test_a_file_that_llama_cpp_cannot_load_says_why(settings: Settings, tmp_path: Path) -> None:
    from sovereign_rag.models import bundled

    damaged = tmp_path / "damaged.gguf"
    data = bundled.smollm2().read_bytes()
    damaged.write_bytes(data.replace(b"llama.block_count", b"llama.block_cunts", 1))
    broken = opened(settings, model=damaged)

    with pytest.raises(ModelError, match="block_count"):
        broken.count_tokens([QUESTION])


@pytest.mark.parametrize(
    ("pieces", "stop", "shown"),
    [
        (["Hel", "lo"], [], ["Hel", "lo", ""]),
        (["one END", " two"], [" END"], ["one", "", ""]),
        (["one E", "N", "D two"], ["END"], ["one ", "", "", ""]),
        (["one E", "N", "G"], ["END"], ["one ", "", "ENG", ""]),
        (["one E", "N"], ["END"], ["one ", "", "EN"]),
        (["a\n", "\nb"], ["\n\n", "###"], ["a", "", ""]),
    ],
)
def test_text_is_shown_as_soon_as_it_cannot_be_a_stop_string(
    pieces: list[str], stop: list[str], shown: list[str]
) -> None:
    stream = TextStream(stop)

    assert [*(stream.feed(piece.encode()) for piece in pieces), stream.finish()] == shown


def test_a_character_is_shown_when_its_last_byte_came() -> None:
    stream = TextStream([])
    euro = "€".encode()

    assert [stream.feed(euro[:1]), stream.feed(euro[1:]), stream.finish()] == ["", "€", ""]
    assert TextStream([]).feed(b"ok") == "ok"
