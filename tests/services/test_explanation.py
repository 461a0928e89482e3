"""Why somebody can or can't read a document is told from the catalog and the record."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sovereign_rag.access import EVERYONE, Principal, local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, NewTask, document_id
from sovereign_rag.errors import NotFound
from sovereign_rag.roles import Role
from sovereign_rag.services.explanation import AccessExplainer
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.submission import Submission
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog

NOW = datetime.now(UTC)
OWNER, ADAM = local_owner(), Principal("adam", roles=frozenset({Role.ADMIN}))


class Office:
    """Documents with their readers, said by commands and a source, over a record of its own."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog.open(Settings(data_dir=folder))
        self.audit = AuditLog(folder)
        operations = OperationRecorder(catalog=self.catalog, audit=self.audit, resume={})
        self.submission = Submission(catalog=self.catalog, audit=self.audit, operations=operations)
        self.explainer = AccessExplainer(catalog=self.catalog, audit=self.audit)

    def give(
        self,
        name: str,
        *labels: str,
        level: int = 0,
        said_by: str | None = None,
        origin: str | None = None,
    ) -> str:
        """A document that `labels` may read from now on; gives its id."""
        uri, readers = f"file:///srv/{name}", frozenset(labels)
        task = NewTask(uri, name, readers, level, said_by=said_by)
        self.submission.submit([task], OWNER, origin=origin.split() if origin else [])
        self.catalog.documents.publish(document(uri, readers, level))
        return document_id("default", uri)


def document(uri: str, readers: frozenset[str], level: int) -> DocumentRecord:
    return DocumentRecord(
        id=document_id("default", uri),
        tenant="default",
        uri=uri,
        name=uri.rpartition("/")[2],
        title=uri.rpartition("/")[2],
        status=DocumentStatus.FAILED,
        reason="It is not read here.",
        content_hash="0" * 64,
        parse_key="",
        version="",
        media_type="text/plain",
        language=None,
        paged=False,
        pages=0,
        chunks=0,
        size=1,
        modified=None,
        readers=readers,
        level=level,
        properties={},
        created=NOW,
        updated=NOW,
    )


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path)
    yield made
    made.catalog.close()


@pytest.mark.parametrize(
    ("user", "groups", "clearance", "meets", "cleared"),
    [
        ("ana", ["finance"], 2, {"group:finance"}, True),
        ("ana", ["finance"], 1, {"group:finance"}, False),
        ("ana", ["hr"], 2, set(), True),
        ("bo", [], 2, {"user:bo"}, True),
        ("finance", [], 2, set(), True),  # a user named like a group isn't the group
    ],
)
def test_each_condition_is_told_as_the_judge_finds_it(
    office: Office, user: str, groups: list[str], clearance: int, meets: set[str], cleared: bool
) -> None:
    plan = office.give("plan.pdf", "group:finance", "user:bo", level=2)

    people = office.explainer.people(user, "default", groups=groups, clearance=clearance)
    told = office.explainer.explain(plan, people, OWNER)

    (verdict,) = told.verdicts
    assert verdict.judgement.meets == meets
    assert verdict.judgement.is_cleared is cleared
    assert told.allows is (bool(meets) and cleared)
    listed = {record.id for record in office.explainer.readable_by(people, OWNER)}
    assert (plan in listed) is told.allows


def test_a_label_has_its_source_its_file_and_its_day_since_it_is_there_without_a_break(
    office: Office,
) -> None:
    office.give("plan.pdf", "group:hr", "group:finance")
    office.give("plan.pdf", "group:hr")
    plan = office.give(
        "plan.pdf", "group:hr", "group:finance", said_by="sidecar a/.access.yaml", origin="shared"
    )

    told = office.explainer.explain(plan, office.explainer.people("ana", "default"), OWNER)

    given = {label.label: label.given for label in told.labels}
    finance, hr = given["group:finance"], given["group:hr"]
    assert finance is not None
    assert hr is not None
    assert (finance.number, finance.said_by, finance.origin) == (
        3,
        "sidecar a/.access.yaml",
        ("shared",),
    )
    assert (hr.number, hr.said_by, hr.person) == (1, None, "owner")


@pytest.mark.parametrize(
    ("origin", "asker", "told"),
    [
        ("/srv/plan.pdf", ADAM, ("/srv/plan.pdf",)),
        ("/srv/plan.pdf /srv/pay.pdf", ADAM, ()),  # the other one may not be his to know
        ("/srv/plan.pdf /srv/pay.pdf", OWNER, ("/srv/plan.pdf", "/srv/pay.pdf")),
    ],
)
def test_files_that_came_in_with_a_document_are_named_to_the_owner_alone(
    office: Office, origin: str, asker: Principal, told: tuple[str, ...]
) -> None:
    plan = office.give("plan.pdf", "everyone", origin=origin)

    explanation = office.explainer.explain(plan, office.explainer.people("ana", "default"), asker)

    given = explanation.labels[0].given
    assert given is not None
    assert given.origin == told


def test_a_person_is_known_by_their_valid_keys_unless_it_is_said_who_they_are(
    office: Office,
) -> None:
    make, plan = office.catalog.keys.create, office.give("plan.pdf", "group:finance")
    make("old", "ana", groups=["finance"], expires=NOW + timedelta(days=1))
    office.catalog.keys.revoke(office.catalog.keys.in_tenant("default")[0].id)
    without = office.explainer.explain(plan, office.explainer.people("ana", "default"), OWNER)
    key, _ = make("new", "ana", groups=["finance"])
    make("elsewhere", "ana", groups=["finance"], tenant="acme")

    people = office.explainer.people("user:ana", "default")
    with_key = office.explainer.explain(plan, people, OWNER)
    asked = office.explainer.people("ana", "default", groups=["hr"])

    assert not without.allows
    assert ([v.person.known_by for v in with_key.verdicts], with_key.allows) == (
        [f"key {key.id}"],
        True,
    )
    assert not office.explainer.explain(plan, asked, OWNER).allows


def test_what_a_group_reads_is_what_any_of_its_members_reads(office: Office) -> None:
    plan, news = office.give("plan.pdf", "group:finance"), office.give("news.pdf", EVERYONE)
    office.give("letter.pdf", "user:somebody")
    secret = office.give("secret.pdf", "group:finance", level=3)

    at_zero = office.explainer.readable_by_group("finance", 0, OWNER)
    at_three = office.explainer.readable_by_group("finance", 3, OWNER)

    assert {record.id for record in at_zero} == {plan, news}
    assert {record.id for record in at_three} == {plan, news, secret}


def test_an_admin_is_told_of_their_tenant_alone_and_not_the_names_of_what_they_can_not_read(
    office: Office,
) -> None:
    plan, news = office.give("plan.pdf", "group:finance"), office.give("news.pdf", EVERYONE)
    ana = office.explainer.people("ana", "default", groups=["finance"])

    hidden = office.explainer.explain(plan, ana, ADAM)
    seen = office.explainer.explain(news, ana, ADAM)

    assert (hidden.allows, hidden.shows_names, seen.shows_names) == (True, False, True)
    with pytest.raises(NotFound):
        office.explainer.explain(
            plan, ana, Principal("olga", tenant="acme", roles=frozenset({Role.ADMIN}))
        )
    *_, last = office.audit.read()
    assert (last.entry.action, last.entry.principal, last.entry.detail["people"]) == (
        "access.explain",
        "user:adam",
        ["user:ana"],
    )
