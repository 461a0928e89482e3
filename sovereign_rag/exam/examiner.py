"""Keeps what exams gave, and has a model sit one when nobody asks anything."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from sovereign_rag.answering.trust import Trust, Unexamined
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.errors import Busy, SovereignError
from sovereign_rag.exam.exam import Exam
from sovereign_rag.exam.question_set import Paper, the_paper
from sovereign_rag.exam.result import ExamResult, Mark
from sovereign_rag.exam.results_file import Exams, exam_key
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.settings import Settings

log = logging.getLogger(__name__)

_IDLE_S: Final = 120.0  # without a question: after the engine measured its speed, at 30
_LONGEST_S: Final = 3_600.0  # of work for one exam; a model that needs more is for the command
_CLOSE_S: Final = 5.0
_LOOK_S: Final = 0.5


class Examiner:
    """Tells whether a model is trusted: by its exam, and until it sat one, by its size."""

    def __init__(
        self,
        settings: Settings,
        *,
        embedder: Callable[[], Embedder],
        lexical: LexicalEncoder,
        paper: Paper | None = None,
        idle_s: float = _IDLE_S,
    ) -> None:
        """`idle_s` is how long nobody has to have asked before a model is examined by itself."""
        self._settings, self._embedder, self._lexical = settings, embedder, lexical
        self._paper = paper or the_paper()
        self._prior = Unexamined(settings.generation)
        self._exams = Exams(settings.models_dir)
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._asking = 0  # questions that are being answered
        self._quiet_since = time.monotonic()
        self._cancel = threading.Event()  # of the exam's question under way
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def kept(self, language_model: LanguageModel) -> ExamResult | None:
        """The result of its exam, as the settings have it write; None: it sat none."""
        return self._exams.kept(self._key(language_model))

    def judge(self, language_model: LanguageModel, language: str) -> Trust:
        result = self.kept(language_model)
        if result is not None:
            return result.trust(language)
        self._examine_when_idle(language_model)
        return self._prior.judge(language_model, language)

    @contextmanager
    def question(self) -> Iterator[None]:
        with self._lock:
            self._asking += 1
            self._cancel.set()
        try:
            yield
        finally:
            with self._lock:
                self._asking -= 1
                self._quiet_since = time.monotonic()

    def wait_until_answered(self, closing: threading.Event, *, longest_s: float) -> None:
        """Until no question is being answered, `closing` is set, or the time is over."""
        until = time.monotonic() + longest_s
        while time.monotonic() < until:
            with self._lock:
                if not self._asking:
                    return
            if closing.wait(_LOOK_S):
                return

    def close(self) -> None:
        """Give up an exam that is under way; nothing of it is kept."""
        self._closing.set()
        self._cancel.set()
        if self._thread is not None:
            self._thread.join(_CLOSE_S)

    def _key(self, language_model: LanguageModel) -> str:
        info = language_model.info
        return exam_key(info.name, info.sha256, self._settings.generation, self._paper)

    def _examine_when_idle(self, language_model: LanguageModel) -> None:
        """Once. Not a server's model: what it costs others is for an admin to order."""
        if not self._settings.generation.exam or not language_model.info.sha256:
            return
        with self._lock:
            if self._thread is None:
                name = f"exam of {language_model.info.name}"
                self._thread = threading.Thread(
                    target=self._examine, args=(language_model,), name=name, daemon=True
                )
                self._thread.start()

    def _examine(self, language_model: LanguageModel) -> None:
        key = self._key(language_model)
        try:
            while self._is_quiet():
                with self._exams.alone(key, wait=False) as alone:
                    if self._exams.kept(key) is not None:
                        return
                    if alone:
                        self._sit(language_model, key)
                        return
                # Another process holds it, and may yet be stopped in the middle.
                self._closing.wait(self._idle_s)
        except SovereignError as error:
            log.warning("The language model's exam was given up until the next start: %s", error)
        except RuntimeError:  # a part that it worked with was closed under its hands
            if not self._closing.is_set():
                raise

    def _sit(self, language_model: LanguageModel, key: str) -> None:
        """Question by question, each when nobody asks anything."""
        exam = Exam(
            self._paper,
            language_model,
            self._settings.generation,
            embedder=self._embedder(),
            lexical=self._lexical,
        )
        marks: list[Mark] = []
        worked_s = 0.0
        while len(marks) < len(exam.questions):
            if worked_s > _LONGEST_S:
                log.warning(
                    "The language model's exam was given up after %.0f s of work; "
                    "`sovereign-rag models exam` takes the time it needs.",
                    worked_s,
                )
                return
            if not self._is_quiet():
                return
            begin = time.monotonic()
            try:
                mark = exam.ask(exam.questions[len(marks)], self._cancel)
            except Busy:
                continue
            finally:
                worked_s += time.monotonic() - begin
            if mark is not None:
                marks.append(mark)
        result = exam.result(marks)
        if self._exams.keep(key, result):
            trust = result.trust()
            log.info(
                "%s sat its exam: %d of %d right, the passages' best sentences %d.",
                *(result.model, trust.right, trust.questions, trust.extracts_right),
            )

    def _is_quiet(self) -> bool:
        """Wait until nobody has asked for a while; False: it is closing."""
        while not self._closing.is_set():
            with self._lock:
                left = self._quiet_since + self._idle_s - time.monotonic()
                if not self._asking and left <= 0:
                    self._cancel.clear()
                    return True
            self._closing.wait(max(0.05, left) if not self._asking else self._idle_s)
        return False
