from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from sovereign_rag.access import OWNER, Principal, local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.errors import BadInput, Forbidden, NotFound, Unauthenticated
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock

ANA = Principal("ana", frozenset({"finance"}), "acme", 2, roles=frozenset({Role.ADMIN}))


def test_a_key_stands_for_the_identity_it_was_made_with(catalog: Catalog) -> None:
    record, secret = catalog.keys.create(
        "laptop", "ana", groups=["finance"], tenant="acme", clearance=2, role=Role.ADMIN
    )

    assert catalog.keys.principal_for(secret) == ANA
    assert secret.startswith(f"srag_{record.id}_")
    assert key_id_of(secret) == record.id


def test_no_key_carries_the_owners_label(catalog: Catalog) -> None:
    _, secret = catalog.keys.create("sly", "owner", groups=["owner"], role=Role.ADMIN)

    assert OWNER not in catalog.keys.principal_for(secret).labels


def test_secrets_and_tokens_are_not_in_the_database(catalog: Catalog, settings: Settings) -> None:
    record, secret = catalog.keys.create("laptop", "ana")
    token = catalog.sessions.create(ANA, 1, key_id=record.id)

    database = Database.of(settings)
    with closing(database), database.reading() as connection:
        keys, sessions = (
            str(connection.execute(text(f"SELECT * FROM {table}")).all())
            for table in ("api_keys", "sessions")
        )

    assert record.id in keys
    assert record.id in sessions
    assert secret.split("_", 2)[2] not in keys
    assert token not in sessions


@pytest.mark.parametrize(
    "misspelt", [lambda secret: secret[:-1], lambda secret: secret + "x", str.upper]
)
def test_a_key_that_differs_in_anything_is_refused(
    catalog: Catalog, misspelt: Callable[[str], str]
) -> None:
    _, secret = catalog.keys.create("laptop", "ana")

    with pytest.raises(Unauthenticated):
        catalog.keys.principal_for(misspelt(secret))

    assert catalog.keys.principal_for(secret).user == "ana"


def test_the_random_part_of_another_key_does_not_fit(catalog: Catalog) -> None:
    _, first = catalog.keys.create("one", "ana")
    _, second = catalog.keys.create("two", "bo")
    mixed = f"srag_{key_id_of(first)}_{second.split('_', 2)[2]}"

    with pytest.raises(Unauthenticated):
        catalog.keys.principal_for(mixed)

    assert catalog.keys.principal_for(second).user == "bo"


@pytest.mark.parametrize("nonsense", ["", "srag", "srag_", "srag__", "x_y_z", "é\ud800", "_" * 50])
def test_a_text_that_is_no_api_key_is_refused(catalog: Catalog, nonsense: str) -> None:
    with pytest.raises(Unauthenticated):
        catalog.keys.principal_for(nonsense)


def test_unknown_expired_and_revoked_keys_give_the_same_answer(
    catalog: Catalog, clock: SetClock
) -> None:
    _, expiring = catalog.keys.create("a", "ana", expires=clock.now + timedelta(hours=1))
    revoked, revoked_secret = catalog.keys.create("b", "ana")
    assert catalog.keys.principal_for(expiring) == catalog.keys.principal_for(revoked_secret)

    catalog.keys.revoke(revoked.id)
    clock.move(hours=1)

    answers = set()
    for secret in (expiring, revoked_secret, "srag_0123456789ab_unknown"):
        with pytest.raises(Unauthenticated) as refused:
            catalog.keys.principal_for(secret)
        answers.add(str(refused.value))
    assert len(answers) == 1


def test_keys_are_listed_within_their_tenant(catalog: Catalog, clock: SetClock) -> None:
    first, _ = catalog.keys.create("one", "ana", tenant="acme", groups=["b", "a"])
    clock.move(seconds=1)
    second, _ = catalog.keys.create("two", "bo", tenant="acme")
    catalog.keys.create("three", "eve", tenant="other")

    assert catalog.keys.in_tenant("acme") == [first, second]


def test_revoking_twice_keeps_the_first_time(catalog: Catalog, clock: SetClock) -> None:
    record, _ = catalog.keys.create("one", "ana")

    first = catalog.keys.revoke(record.id)
    clock.move(hours=1)
    second = catalog.keys.revoke(record.id)

    assert first == second
    assert first.revoked == clock.now - timedelta(hours=1)


def test_revoking_what_is_not_there_says_so(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        catalog.keys.revoke("nothing")


def test_the_last_use_is_noted_once_a_minute(catalog: Catalog, clock: SetClock) -> None:
    _, secret = catalog.keys.create("one", "ana")
    noted: list[datetime | None] = []

    for seconds in (0, 59, 1):
        clock.move(seconds=seconds)
        catalog.keys.principal_for(secret)
        noted.append(catalog.keys.in_tenant("default")[0].last_used)

    begin = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    assert noted == [begin, begin, begin + timedelta(seconds=60)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"user": "ana bo"},
        {"tenant": ""},
        {"groups": ["a,b"]},
        {"clearance": -1},
        {"clearance": 1_001},
        {"name": "  "},
        {"expires": datetime(2026, 3, 1, 12, 0, tzinfo=UTC)},
    ],
)
def test_a_key_that_could_never_be_right_is_not_made(
    catalog: Catalog, wrong: dict[str, object]
) -> None:
    values: dict[str, object] = {"name": "one", "user": "ana", **wrong}

    with pytest.raises(BadInput):
        catalog.keys.create(**values)  # type: ignore[arg-type]  # a table of mistakes

    assert catalog.keys.in_tenant("default") == []


def test_a_session_stands_for_who_signed_in_until_it_is_over(
    catalog: Catalog, clock: SetClock
) -> None:
    token = catalog.sessions.create(ANA, 12, key_id=None)

    clock.move(hours=11, minutes=59)
    before = catalog.sessions.principal_for(token)
    clock.move(minutes=1)

    assert before == ANA
    with pytest.raises(Unauthenticated):
        catalog.sessions.principal_for(token)


def test_signing_out_ends_one_session(catalog: Catalog) -> None:
    one = catalog.sessions.create(ANA, 12, key_id=None)
    other = catalog.sessions.create(ANA, 12, key_id=None)

    catalog.sessions.end(one)
    catalog.sessions.end(one)

    assert catalog.sessions.principal_for(other) == ANA
    with pytest.raises(Unauthenticated):
        catalog.sessions.principal_for(one)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_session_ends_with_the_key_it_was_begun_with(
    catalog: Catalog, clock: SetClock, end: str
) -> None:
    ending, secret = catalog.keys.create("one", "ana", expires=clock.now + timedelta(hours=1))
    lasting, _ = catalog.keys.create("two", "ana")
    token = catalog.sessions.create(catalog.keys.principal_for(secret), 12, key_id=ending.id)
    other = catalog.sessions.create(ANA, 12, key_id=lasting.id)
    assert catalog.sessions.principal_for(token).user == "ana"

    if end == "revoked":
        catalog.keys.revoke(ending.id)
    else:
        clock.move(hours=1)

    with pytest.raises(Unauthenticated):
        catalog.sessions.principal_for(token)
    assert catalog.sessions.principal_for(other) == ANA


def test_the_owner_of_the_data_folder_has_no_session(catalog: Catalog) -> None:
    with pytest.raises(Forbidden):
        catalog.sessions.create(local_owner(), 12, key_id=None)


def test_a_token_is_no_key_and_a_key_no_token(catalog: Catalog) -> None:
    record, secret = catalog.keys.create("one", "ana")
    token = catalog.sessions.create(ANA, 12, key_id=record.id)

    with pytest.raises(Unauthenticated):
        catalog.keys.principal_for(token)
    with pytest.raises(Unauthenticated):
        catalog.sessions.principal_for(secret)
