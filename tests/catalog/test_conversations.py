"""Conversations in the catalog: their owner's alone, gone in time, and with erased documents."""

from datetime import UTC, datetime, timedelta

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.conversations import KeptAnswer, Owner
from sovereign_rag.errors import NotFound
from tests.catalog.conftest import stored

ANA, BO = Owner("default", "user:ana"), Owner("default", "user:bo")
ELSEWHERE = Owner("elsewhere", "user:ana")


def begun(catalog: Catalog, owner: Owner = ANA) -> tuple[str, int]:
    id_ = catalog.conversations.new_id()
    catalog.conversations.begin(owner, id_, b"title")
    return id_, catalog.conversations.add_turn(owner, id_, b"question")


@pytest.mark.parametrize("somebody", [BO, ELSEWHERE])
def test_a_conversation_is_its_owners_alone(catalog: Catalog, somebody: Owner) -> None:
    id_, turn = begun(catalog)
    kept = catalog.conversations

    for refused in (
        lambda: kept.get(somebody, id_),
        lambda: kept.turn(somebody, turn),
        lambda: kept.add_turn(somebody, id_, b"?"),
        lambda: kept.rename(somebody, id_, b"?"),
        lambda: kept.set_share(somebody, turn, is_shared=True),
        lambda: kept.vote(somebody, turn, is_helpful=True, reason=None),
    ):
        with pytest.raises(NotFound):
            refused()
    assert kept.delete(somebody, id_) == 0
    assert kept.delete(somebody, None) == 0
    assert (kept.recent(somebody, limit=9), kept.questions(somebody, limit=9)) == ([], [])
    row, turns = kept.get(ANA, id_)
    assert (row.title, [one.question for one in turns]) == (b"title", [b"question"])


@pytest.mark.parametrize(("holds_words", "left"), [(True, None), (False, b"body")])
def test_an_erased_document_takes_its_words_out_of_answers(
    catalog: Catalog, holds_words: bool, left: bytes | None
) -> None:
    document = catalog.documents.publish(stored())
    _, turn = begun(catalog)
    answer = KeptAnswer(b"body", "generated", holds_words, [document.id])
    catalog.conversations.keep_answer(turn, answer)
    before = catalog.conversations.turn(ANA, turn).answer

    catalog.documents.remove(document.tenant, document.id)

    assert before == b"body"
    assert catalog.conversations.turn(ANA, turn).answer == left
    catalog.conversations.keep_answer(begun(catalog)[1], answer)  # written while it was deleted
    newest = catalog.conversations.questions(ANA, limit=1)[0]
    assert newest.answer == left


def test_conversations_that_nobody_goes_on_with_end(catalog: Catalog) -> None:
    id_, _ = begun(catalog)
    now = datetime.now(UTC)

    assert catalog.conversations.expire(now - timedelta(days=900)) == 0
    assert catalog.conversations.expire(now + timedelta(days=900)) == 1
    with pytest.raises(NotFound):
        catalog.conversations.get(ANA, id_)


def test_a_share_opens_within_its_tenant_until_it_is_ended(catalog: Catalog) -> None:
    _, turn = begun(catalog)
    share = catalog.conversations.set_share(ANA, turn, is_shared=True)
    assert share is not None

    assert catalog.conversations.set_share(ANA, turn, is_shared=True) == share
    assert catalog.conversations.shared("default", share).id == turn
    with pytest.raises(NotFound):
        catalog.conversations.shared("elsewhere", share)
    catalog.conversations.set_share(ANA, turn, is_shared=False)
    with pytest.raises(NotFound):
        catalog.conversations.shared("default", share)
