"""A document's level limits what leaves as a file, and an answer has the highest of its sources."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.compliance import dossier
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import Forbidden
from sovereign_rag.services.serialization.answers import AnswerOut
from sovereign_rag.settings import LabelSettings, LevelRule, Settings
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER = local_owner()
ANA, BO = Principal("ana", clearance=2), Principal("bo")
QUESTION = "When does the gate of the yard open?"


@pytest.fixture(scope="module")
def house(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    folder, labels = tmp_path_factory.mktemp("house"), (LevelRule(level=2, take_along=False),)
    settings = product_settings().model_copy(update={"labels": LabelSettings(levels=labels)})
    with open_service(settings, embedder=embedder) as application:
        for name, text, level in (
            ("open.txt", "The gate of the yard opens at seven in the morning.", 0),
            ("guard.txt", "The gate of the yard opens at five for the guard alone.", 2),
        ):
            path: Path = folder / name
            path.write_text(text, encoding="utf-8")
            everyone = frozenset({"everyone"})
            application.ingestion.ingest([path], OWNER, readers=everyone, level=level)
        yield application


def test_what_may_not_be_taken_along_is_read_and_leaves_as_no_file(house: Application) -> None:
    documents = {document.name: document for document in house.documents.list(ANA)}
    contents = house.contents

    for leave in (contents.original, contents.export):
        assert leave(documents["open.txt"].id, ANA)
        with pytest.raises(Forbidden, match="level 2"):
            leave(documents["guard.txt"].id, ANA)
    with pytest.raises(Forbidden):
        contents.chunks(documents["guard.txt"].id, OWNER, limit=5)
    (page,) = house.documents.pages(documents["guard.txt"].id, ANA)
    assert "five" in page.text


def test_an_answer_has_the_highest_level_of_what_its_asker_was_shown(house: Application) -> None:
    answers = {who.user: house.answers.answer(AnswerRequest(QUESTION, who)) for who in (ANA, BO)}

    assert (answers["ana"].level, answers["bo"].level) == (2, 0)
    assert {passage.level for passage in answers["ana"].passages} == {0, 2}
    with pytest.raises(Forbidden, match="level 2"):
        dossier.export(house, AnswerOut.of(answers["ana"]), OWNER)
    shown_less = AnswerOut.of(answers["ana"]).model_copy(update={"level": 0})
    with pytest.raises(Forbidden, match="level 2"):
        dossier.export(house, shown_less, OWNER)
    assert dossier.export(house, AnswerOut.of(answers["bo"]), OWNER)["level"] == 0
    entries = [record.entry for record in house.audit.read() if record.entry.action == "answer"]
    assert [entry.detail["level"] for entry in entries] == [2, 0]
