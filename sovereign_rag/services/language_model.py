"""The language model in use with its examiner; another one takes its place when settings say so."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sovereign_rag.answering.prompt import system_prompts
from sovereign_rag.errors import ModelMissing
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.opening import open_language_model
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.settings import Settings

_LINGER_S: Final = 5.0  # for questions that were about to begin
_LONGEST_S: Final = 900.0  # that questions of before may go on


class ModelInUse:
    """Opened when first needed. What was in use is closed once its questions are answered."""

    def __init__(
        self, settings: Callable[[], Settings], *, examiner: Callable[[Settings], Examiner]
    ) -> None:
        self._settings, self._make_examiner = settings, examiner
        self._lock = threading.RLock()
        self._named: Path | None = None  # what the settings named when it was opened
        self._is_open = False
        self._model: LanguageModel | None = None
        self._examiner: Examiner | None = None
        self._closing = threading.Event()
        self._leaving: list[threading.Thread] = []

    def get(self) -> LanguageModel | None:
        """The model, by the header of its file alone; None: there is none.

        Raises:
            ModelMissing, ModelError, SettingsError: What the settings name can't be used.
        """
        with self._lock:
            if not self._is_open:
                settings = self._settings()
                self._named = settings.generation.model
                self._model = _opened(settings)
                self._is_open = True
            return self._model

    @property
    def examiner(self) -> Examiner:
        """Of the model in use."""
        with self._lock:
            if self._examiner is None:
                settings = self._settings()
                self._named = settings.generation.model
                self._examiner = self._make_examiner(settings)
            return self._examiner

    def follow(self) -> None:
        """Let go of a model that the settings don't name any more."""
        with self._lock:
            if self._named == self._settings().generation.model:
                return
            old, examiner = self._model, self._examiner
            self._model, self._examiner, self._is_open = None, None, False
            self._leaving = [thread for thread in self._leaving if thread.is_alive()]
            thread = threading.Thread(target=self._leave, args=(old, examiner), name="model")
            self._leaving.append(thread)
            thread.start()

    def close(self) -> None:
        """Let go of everything; what is being written fails."""
        self._closing.set()
        with self._lock:
            for thread in self._leaving:
                thread.join()
            _close(self._model, self._examiner)

    def _leave(self, model: LanguageModel | None, examiner: Examiner | None) -> None:
        self._closing.wait(_LINGER_S)
        if examiner is not None:
            examiner.wait_until_answered(self._closing, longest_s=_LONGEST_S)
        _close(model, examiner)


def _opened(settings: Settings) -> LanguageModel | None:
    try:
        return open_language_model(settings, public_prompts=system_prompts())
    except ModelMissing:
        if settings.generation.model is not None:
            raise
        return None  # no model named and no package that ships one: extracts only


def _close(model: LanguageModel | None, examiner: Examiner | None) -> None:
    if examiner is not None:
        examiner.close()
    if model is not None:
        model.close()
