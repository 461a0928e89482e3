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
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock

ANA = Principal("ana", frozenset({"finance"}), "acme", 2, is_admin=True)


def test_a_key_stands_for_the_identity_it_was_made_with(catalog: Catalog) -> None:
    record, secret = catalog.create_key(
        "laptop", "ana", groups=["finance"], tenant="acme", clearance=2, is_admin=True
    )

    assert catalog.principal_for_key(secret) == ANA
    assert secret.startswith(f"srag_{record.id}_")
    assert key_id_of(secret) == record.id


def test_no_key_carries_the_owners_label(catalog: Catalog) -> None:
    _, secret = catalog.create_key("sly", "owner", groups=["owner"], is_admin=True)

    assert OWNER not in catalog.principal_for_key(secret).labels


def test_secrets_and_tokens_are_not_in_the_database(catalog: Catalog, settings: Settings) -> None:
    record, secret = catalog.create_key("laptop", "ana")
    token = catalog.create_session(ANA, 1, key_id=record.id)

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
    _, secret = catalog.create_key("laptop", "ana")

    with pytest.raises(Unauthenticated):
        catalog.principal_for_key(misspelt(secret))

    assert catalog.principal_for_key(secret).user == "ana"


def test_the_random_part_of_another_key_does_not_fit(catalog: Catalog) -> None:
    _, first = catalog.create_key("one", "ana")
    _, second = catalog.create_key("two", "bo")
    mixed = f"srag_{key_id_of(first)}_{second.split('_', 2)[2]}"

    with pytest.raises(Unauthenticated):
        catalog.principal_for_key(mixed)

    assert catalog.principal_for_key(second).user == "bo"


@pytest.mark.parametrize("nonsense", ["", "srag", "srag_", "srag__", "x_y_z", "é\ud800", "_" * 50])
def test_what_is_no_key_is_refused(catalog: Catalog, nonsense: str) -> None:
    with pytest.raises(Unauthenticated):
        catalog.principal_for_key(nonsense)


def test_unknown_expired_and_revoked_keys_give_the_same_answer(
    catalog: Catalog, clock: SetClock
) -> None:
    _, expiring = catalog.create_key("a", "ana", expires=clock.now + timedelta(hours=1))
    revoked, revoked_secret = catalog.create_key("b", "ana")
    assert catalog.principal_for_key(expiring) == catalog.principal_for_key(revoked_secret)

    catalog.revoke_key(revoked.id)
    clock.move(hours=1)

    answers = set()
    for secret in (expiring, revoked_secret, "srag_0123456789ab_unknown"):
        with pytest.raises(Unauthenticated) as refused:
            catalog.principal_for_key(secret)
        answers.add(str(refused.value))
    assert len(answers) == 1


def test_keys_are_listed_within_their_tenant(catalog: Catalog, clock: SetClock) -> None:
    first, _ = catalog.create_key("one", "ana", tenant="acme", groups=["b", "a"])
    clock.move(seconds=1)
    second, _ = catalog.create_key("two", "bo", tenant="acme")
    catalog.create_key("three", "eve", tenant="other")

    assert catalog.keys("acme") == [first, second]


def test_revoking_twice_keeps_the_first_time(catalog: Catalog, clock: SetClock) -> None:
    record, _ = catalog.create_key("one", "ana")

    first = catalog.revoke_key(record.id)
    clock.move(hours=1)
    second = catalog.revoke_key(record.id)

    assert first == second
    assert first.revoked == clock.now - timedelta(hours=1)


def test_revoking_what_is_not_there_says_so(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        catalog.revoke_key("nothing")


def test_the_last_use_is_noted_once_a_minute(catalog: Catalog, clock: SetClock) -> None:
    _, secret = catalog.create_key("one", "ana")
    noted: list[datetime | None] = []

    for seconds in (0, 59, 1):
        clock.move(seconds=seconds)
        catalog.principal_for_key(secret)
        noted.append(catalog.keys("default")[0].last_used)

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
        catalog.create_key(**values)  # type: ignore[arg-type]  # a table of mistakes

    assert catalog.keys("default") == []


def test_a_session_stands_for_who_signed_in_until_it_is_over(
    catalog: Catalog, clock: SetClock
) -> None:
    token = catalog.create_session(ANA, 12, key_id=None)

    clock.move(hours=11, minutes=59)
    before = catalog.principal_for_session(token)
    clock.move(minutes=1)

    assert before == ANA
    with pytest.raises(Unauthenticated):
        catalog.principal_for_session(token)


def test_signing_out_ends_one_session(catalog: Catalog) -> None:
    one = catalog.create_session(ANA, 12, key_id=None)
    other = catalog.create_session(ANA, 12, key_id=None)

    catalog.end_session(one)
    catalog.end_session(one)

    assert catalog.principal_for_session(other) == ANA
    with pytest.raises(Unauthenticated):
        catalog.principal_for_session(one)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_session_ends_with_the_key_it_was_begun_with(
    catalog: Catalog, clock: SetClock, end: str
) -> None:
    ending, secret = catalog.create_key("one", "ana", expires=clock.now + timedelta(hours=1))
    lasting, _ = catalog.create_key("two", "ana")
    token = catalog.create_session(catalog.principal_for_key(secret), 12, key_id=ending.id)
    other = catalog.create_session(ANA, 12, key_id=lasting.id)
    assert catalog.principal_for_session(token).user == "ana"

    if end == "revoked":
        catalog.revoke_key(ending.id)
    else:
        clock.move(hours=1)

    with pytest.raises(Unauthenticated):
        catalog.principal_for_session(token)
    assert catalog.principal_for_session(other) == ANA


def test_the_owner_of_the_data_folder_has_no_session(catalog: Catalog) -> None:
    with pytest.raises(Forbidden):
        catalog.create_session(local_owner(), 12, key_id=None)


def test_a_token_is_no_key_and_a_key_no_token(catalog: Catalog) -> None:
    record, secret = catalog.create_key("one", "ana")
    token = catalog.create_session(ANA, 12, key_id=record.id)

    with pytest.raises(Unauthenticated):
        catalog.principal_for_key(token)
    with pytest.raises(Unauthenticated):
        catalog.principal_for_session(secret)
