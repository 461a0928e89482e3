"""An answer is kept as evidence: signed, verified against the archive, computed again."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.compliance import dossier
from sovereign_rag.compliance.ai_marks import problems
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.services.serialization.answers import AnswerOut
from sovereign_rag.settings import Settings
from sovereign_rag.storage.signed_statements import signed_statement, statement_in
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER, ANA = local_owner(), Principal("ana", frozenset({"yard"}))
GATE = "The gate of the yard opens at seven in the morning and closes at nine in the evening."
QUESTION = "When does the gate of the yard open?"


@dataclass(frozen=True)
class Site:
    application: Application
    file: Path
    answer: AnswerOut

    @property
    def facts(self) -> dict[str, Any]:
        return dossier.export(self.application, self.answer, OWNER)


@pytest.fixture(scope="module")
def site(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    file = tmp_path_factory.mktemp("site") / "gate.txt"
    file.write_text(GATE, encoding="utf-8")
    with open_service(product_settings(), embedder=embedder) as application:
        application.ingestion.ingest([file], OWNER, readers=frozenset({"group:yard"}))
        asked = AnswerRequest(QUESTION, ANA, kind="extracts")
        yield Site(application, file, AnswerOut.of(application.answers.answer(asked)))


def test_a_dossier_tells_what_was_asked_with_which_rights_and_by_what(site: Site) -> None:
    facts = site.facts

    assert facts["record"]["principal"] == "user:ana"
    assert facts["record"]["by"]["groups"] == ["yard"]
    assert facts["answer"]["question"] == QUESTION
    assert {told["title"] for told in facts["documents"].values()} == {"gate"}
    assert set(facts["passages"]) == {passage.id for passage in site.answer.passages}
    assert [model["state"] for model in facts["models"]][:1] == ["ok"]


def test_an_answer_the_record_and_the_dossier_name_the_same_passports(site: Site) -> None:
    """Each model that had a part in it, by the id that `models list` prints beside its hash."""
    asked = AnswerRequest(QUESTION, OWNER, kind="generated")
    written = AnswerOut.of(site.application.answers.answer(asked))
    record = list(site.application.audit.read())[-1].entry

    facts = dossier.export(site.application, written, OWNER)

    assert written.kind == "generated"
    assert record.detail["models"] == facts["answer"]["models"] == written.models
    assert [model["id"] for model in facts["models"]] == written.models
    assert all(model["sha256"] for model in facts["models"])
    assert site.answer.models == written.models[:1]


def test_an_answer_that_was_not_given_here_makes_no_dossier(site: Site) -> None:
    another = site.answer.model_copy(update={"question": "When does the gate close?"})

    with pytest.raises(NotFound, match="no such answer"):
        dossier.export(site.application, another, OWNER)


def test_a_dossier_that_was_changed_is_refused(site: Site, tmp_path: Path) -> None:
    key, file = Ed25519PrivateKey.generate(), tmp_path / "dossier.json"
    signed = signed_statement(dossier.KIND, site.facts, key)

    file.write_bytes(signed)
    told = statement_in(file, dossier.KIND, key.public_key(), what="The dossier")
    file.write_bytes(signed.replace(b"at seven", b"at eight"))

    assert told["answer"]["question"] == QUESTION
    with pytest.raises(BadInput, match="changed since"):
        statement_in(file, dossier.KIND, key.public_key(), what="The dossier")


def test_what_is_asked_again_with_the_rights_of_then_is_the_same(site: Site) -> None:
    facts = site.facts
    stranger = {**facts, "record": {**facts["record"], "principal": "user:bo", "by": {}}}

    assert dossier.replay(site.application, facts) == []
    assert {d.what for d in dossier.replay(site.application, stranger)} >= {"kind", "quotes"}


def test_months_later_it_is_told_which_quote_stands_and_which_document_changed(site: Site) -> None:
    facts, application = site.facts, site.application

    def standing() -> set[str]:
        found = dossier.verify(application, facts, OWNER)
        assert found.is_on_record
        return {quote.standing for quote in found.quotes}

    standings = [standing()]
    for text in (f"As of May.\n\n{GATE}\n", "The yard is closed for good, and nobody opens it."):
        site.file.write_text(text, encoding="utf-8")
        application.ingestion.ingest([site.file], OWNER)
        standings.append(standing())
    (document,) = application.documents.list(OWNER)
    application.documents.delete(document.id, OWNER)
    standings.append(standing())

    assert standings == [{"stands"}, {"stands in a newer version"}, {"changed"}, {"gone"}]
    stranger = {**facts, "record": {**facts["record"], "principal": "user:bo"}}
    assert not dossier.verify(application, stranger, OWNER).is_on_record


def test_an_answer_says_to_machines_who_wrote_it(site: Site) -> None:
    plain = site.answer.plain()

    assert problems(json.dumps(plain).encode()) == []
    assert plain["ai"]["written_by_model"] is False
    for wrong in (
        {**plain, "ai": None},
        {**plain, "kind": "generated"},
        {**plain, "ai": {**plain["ai"], "digital_source_type": "a photograph"}},
    ):
        assert problems(json.dumps(wrong).encode()) != []
    assert problems(b'<meta name="ai-disclosure" content="mode=machine-generated">') == []
    assert problems(b"<html></html>") != []
    assert problems(b"nothing of either") != []
