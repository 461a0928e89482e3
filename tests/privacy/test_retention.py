"""Documents are kept as long as a rule says, and longer where a legal hold says so."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.privacy.retention import due
from sovereign_rag.settings import Settings
from sovereign_rag.settings.retention import RetentionRule, RetentionSettings
from tests.catalog.conftest import stored

NOW = datetime(2026, 6, 1, tzinfo=UTC)  # the documents are of 1 February, and came on 1 March
PLAN, NOTE = "file:///srv/hr/plan.pdf", "upload:user:ana/note.pdf"


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(Settings(data_dir=tmp_path / "data")) as catalog:
        catalog.documents.publish(stored(PLAN, readers=frozenset({"group:hr"})))
        catalog.documents.publish(stored(NOTE, content_hash="b" * 64))
        catalog.documents.publish(stored(PLAN, tenant="other", content_hash="c" * 64))
        yield catalog


def addresses(catalog: Catalog, *rules: RetentionRule, holds: tuple[str, ...] = ()) -> set[str]:
    settings = RetentionSettings(rules=rules, holds=holds)
    return {one.record.uri for one in due(catalog, settings, NOW) if not one.held}


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (RetentionRule(days=90, label="group:hr"), {PLAN}),
        (RetentionRule(days=365, label="group:hr"), set()),
        (RetentionRule(days=90, source="upload"), {NOTE}),
        (RetentionRule(days=90, media_type="application/pdf"), {PLAN, NOTE}),
        (RetentionRule(days=90, media_type="text/plain"), set()),
        (RetentionRule(days=90, address="file:///srv/*", label="group:hr"), {PLAN}),
        (RetentionRule(days=90, address="file:///srv/*", label="group:it"), set()),
        (RetentionRule(days=100, address="*", since="modified"), {PLAN, NOTE}),
        (RetentionRule(days=100, address="*", since="created"), set()),
        (RetentionRule(days=90, address="*", tenant="other"), {PLAN}),
        (RetentionRule(days=90, source="no-such-source"), set()),
    ],
)
def test_a_rule_is_about_its_class_and_its_days(
    catalog: Catalog, rule: RetentionRule, found: set[str]
) -> None:
    assert addresses(catalog, rule) == found


@pytest.mark.parametrize(
    ("hold", "found"),
    [
        ("file:///srv/hr/*", {NOTE}),
        (stored(NOTE).id, {PLAN}),
        ("file:///elsewhere/*", {PLAN, NOTE}),
        ("*", set()),
    ],
)
def test_a_legal_hold_keeps_what_it_names(catalog: Catalog, hold: str, found: set[str]) -> None:
    assert addresses(catalog, RetentionRule(days=1, address="*"), holds=(hold,)) == found


def test_a_document_goes_with_the_first_rule_that_says_so(catalog: Catalog) -> None:
    rules = (RetentionRule(days=365, address="*"), RetentionRule(days=90, address="*"))

    found = list(due(catalog, RetentionSettings(rules=rules), NOW))

    assert [one.rule for one in found] == [2, 2]
    assert {one.over_since for one in found} == {_modified(stored()) + timedelta(days=90)}


def test_a_rule_without_a_class_is_refused() -> None:
    with pytest.raises(ValidationError, match="of which documents"):
        RetentionRule(days=90)


def _modified(record: DocumentRecord) -> datetime:
    assert record.modified is not None
    return record.modified
