"""What a store lets whom find, by rights and by filters; asked of each of them."""

from datetime import UTC, datetime

import pytest

from sovereign_rag.access import Principal, ReadScope, local_owner, read_scope, stored_readers
from sovereign_rag.errors import Unauthenticated
from sovereign_rag.roles import Role
from sovereign_rag.store.protocol import (
    ChunkOrigin,
    ChunkStore,
    DenseQuery,
    LexicalQuery,
    SearchFilter,
    point_id,
)
from tests.store.chunks import ANA, BOARD, EAST, EVERYWHERE, HR, IT, OWNER, SALES, chunk, found


@pytest.mark.parametrize(
    ("principal", "readable"),
    [
        (Principal("ana"), {0}),
        (Principal("ana", frozenset({"finance"})), {0, 1}),
        (Principal("finance"), {0}),  # a user named like a group isn't the group
        (Principal("bo"), {0, 2}),
        (Principal("x", frozenset({"bo"})), {0}),  # nor a group named like a user the user
        (Principal("ana", clearance=2), {0, 4}),
        (Principal("ana", clearance=1), {0}),
        (Principal("ana", frozenset({"finance"}), tenant="other"), {5}),
        (Principal("root", roles=frozenset({Role.ADMIN})), {0}),
        (local_owner(), {0, 1, 2, 3, 4}),
        (local_owner("other"), {5}),
    ],
)
def test_search_and_count_show_only_what_the_principal_may_read(
    store: ChunkStore, principal: Principal, readable: set[int]
) -> None:
    store.put(
        [
            chunk(0, "everyone"),
            chunk(1, "group:finance"),
            chunk(2, "user:bo"),
            chunk(3),  # no reader: the owner of the data folder alone
            chunk(4, "everyone", level=2),
            chunk(5, "everyone", tenant="other", document=IT),
        ]
    )
    scope = read_scope(principal)

    dense, lexical = store.search([DenseQuery(EAST, limit=10), EVERYWHERE], scope)

    assert found(dense) == readable
    assert found(lexical) == readable
    assert store.count(scope) == len(readable)


def test_a_scope_without_labels_or_from_elsewhere_cannot_be_made() -> None:
    with pytest.raises(Unauthenticated):
        ReadScope(tenant="default", labels=frozenset({"owner"}), clearance=0, _issuer=object())

    assert ANA.labels == {"everyone", "user:ana"}


@pytest.mark.parametrize(
    ("search_filter", "left"),
    [
        (SearchFilter(), {0, 1, 2}),
        (SearchFilter(documents=frozenset({HR})), {0}),
        (SearchFilter(documents=frozenset({HR, IT})), {0, 1}),
        (SearchFilter(documents=frozenset({BOARD})), set()),  # not hers to read
        (SearchFilter(documents=frozenset()), set()),
        (SearchFilter(exclude_documents=frozenset({HR})), {1, 2}),
        (SearchFilter(documents=frozenset({HR}), exclude_documents=frozenset({HR})), set()),
        (SearchFilter(chunks=frozenset({point_id(IT, "v1", 1)})), {1}),
        (SearchFilter(chunks=frozenset({point_id(BOARD, "v1", 3)})), set()),
        (SearchFilter(chunks=frozenset()), set()),
        (SearchFilter(languages=frozenset({"de"})), {1}),
        (SearchFilter(languages=frozenset({"de", "en"})), {0, 1}),
        (SearchFilter(languages=frozenset()), set()),
        (SearchFilter(languages=frozenset({"de"}), documents=frozenset({HR})), set()),
    ],
)
def test_narrowing_takes_away_and_never_adds(
    store: ChunkStore, search_filter: SearchFilter, left: set[int]
) -> None:
    store.put(
        [
            chunk(0, "everyone", document=HR, language="en"),
            chunk(1, "everyone", document=IT, language="de"),
            chunk(2, "everyone", document=SALES, language=None),
            chunk(3, "group:board", document=BOARD, language="de"),
        ]
    )

    dense, lexical = store.search(
        [
            DenseQuery(EAST, limit=10, search_filter=search_filter),
            LexicalQuery(EVERYWHERE.vector, limit=10, search_filter=search_filter),
        ],
        ANA,
    )

    assert found(dense) == left
    assert found(lexical) == left
    assert store.count(ANA, search_filter) == len(left)
    assert sum(store.facet("language", ANA, search_filter).values()) == len(left - {2})


def march(day: int) -> datetime:
    return datetime(2024, 3, day, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("search_filter", "left"),
    [
        (SearchFilter(media_types=frozenset({"application/pdf"})), {0, 1}),
        (SearchFilter(media_types=frozenset({"text/html", "text/plain"})), {2}),
        (SearchFilter(media_types=frozenset()), set()),
        (SearchFilter(sources=frozenset({"file:///srv/hr"})), {0, 1}),
        (SearchFilter(sources=frozenset({"file:///srv/hr/"})), {0, 1}),
        (SearchFilter(sources=frozenset({"file:///srv/hr/2024/plan.pdf"})), {1}),
        (SearchFilter(sources=frozenset({"file:///srv/h"})), set()),  # part of a name is no folder
        (SearchFilter(sources=frozenset({"file:///"})), {0, 1}),
        (
            SearchFilter(sources=frozenset({"https://intra.example/", "file:///srv/hr/2024"})),
            {1, 2},
        ),
        (SearchFilter(sources=frozenset({"file:///srv/board"})), set()),  # not hers to read
        (SearchFilter(sources=frozenset()), set()),
        (SearchFilter(modified_from=march(2)), {1}),
        (SearchFilter(modified_before=march(2)), {0}),
        (SearchFilter(modified_from=march(1), modified_before=march(3)), {0, 1}),
        (SearchFilter(modified_from=march(4)), set()),
        (SearchFilter(labels=frozenset({"user:ana"})), {1}),
        (SearchFilter(labels=frozenset({"user:ana", "everyone"})), {0, 1, 2}),
        (SearchFilter(labels=frozenset({"group:board"})), set()),  # not a label of hers
        (SearchFilter(labels=frozenset({"owner"})), set()),  # though every chunk carries it
        (SearchFilter(labels=frozenset()), set()),
        (
            SearchFilter(media_types=frozenset({"application/pdf"}), modified_from=march(2)),
            {1},
        ),
    ],
)
def test_narrowing_by_origin_takes_away_and_never_adds(
    store: ChunkStore, search_filter: SearchFilter, left: set[int]
) -> None:
    pdf, html = "application/pdf", "text/html"
    plan = ChunkOrigin("file:///srv/hr/plan.pdf", pdf, march(1))
    newer = ChunkOrigin("file:///srv/hr/2024/plan.pdf", pdf, march(2))
    secret = ChunkOrigin("file:///srv/board/plan.pdf", pdf, march(2))
    store.put(
        [
            chunk(0, "everyone", document=HR, origin=plan),
            chunk(1, "user:ana", document=IT, origin=newer),
            chunk(
                2, "everyone", document=SALES, origin=ChunkOrigin("https://intra.example/faq", html)
            ),
            chunk(3, "group:board", document=BOARD, origin=secret),
        ]
    )

    dense, lexical = store.search(
        [
            DenseQuery(EAST, limit=10, search_filter=search_filter),
            LexicalQuery(EVERYWHERE.vector, limit=10, search_filter=search_filter),
        ],
        ANA,
    )

    assert found(dense) == left
    assert found(lexical) == left
    assert store.count(ANA, search_filter) == len(left)
    assert sum(store.facet("media_type", ANA, search_filter).values()) == len(left)


def test_facets_count_what_the_caller_may_read_and_nothing_else(store: ChunkStore) -> None:
    pdf, html = ChunkOrigin(media_type="application/pdf"), ChunkOrigin(media_type="text/html")
    store.put(
        [
            *(chunk(index, "everyone", origin=pdf, language="de") for index in range(3)),
            chunk(3, "everyone", origin=html, language="fr"),
            chunk(4, "everyone", language=None),
            chunk(5, "group:board", origin=html, language="it"),
            chunk(6, "everyone", origin=html, language="it", level=2),
            chunk(7, "everyone", origin=html, language="it", tenant="other", document=IT),
        ]
    )

    assert store.facet("language", ANA) == {"de": 3, "fr": 1}
    assert list(store.facet("media_type", ANA).items()) == [
        ("application/pdf", 3),
        ("text/html", 1),
    ]
    assert store.facet("language", OWNER) == {"de": 3, "it": 2, "fr": 1}
    assert store.facet("language", ANA, SearchFilter(media_types=frozenset({"text/html"}))) == {
        "fr": 1
    }


def test_another_tenant_can_neither_prune_nor_open_a_document(store: ChunkStore) -> None:
    store.put([chunk(0)])

    store.prune("other", HR, keep=None)
    store.set_access("other", HR, readers=stored_readers({"everyone"}), level=0)

    assert store.versions("other", HR) == {}
    assert store.count(OWNER) == 1
    assert store.count(ANA) == 0


def test_a_change_of_rights_holds_for_the_next_search(store: ChunkStore) -> None:
    store.put([chunk(index, "everyone") for index in range(600)])
    finance = read_scope(Principal("fay", frozenset({"finance"})))

    store.set_access("default", HR, readers=stored_readers({"group:finance"}), level=0)

    assert store.count(ANA) == 0
    assert store.search([DenseQuery(EAST, limit=10), EVERYWHERE], ANA) == [[], []]
    assert store.count(finance) == 600

    store.set_access("default", HR, readers=stored_readers({"group:finance"}), level=1)

    assert store.count(finance) == 0
    assert store.count(OWNER) == 600


def test_what_is_said_of_a_document_narrows_a_search_and_is_counted_within_the_rights(
    store: ChunkStore,
) -> None:
    store.put([chunk(0, "everyone", document=HR), chunk(1, "group:finance", document=IT)])
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    store.set_facts("default", HR, facts=frozenset({"tag=a", "tag=b"}), modified=moment)
    store.set_facts("default", IT, facts=frozenset({"tag=a"}), modified=None)
    store.set_facts("other", HR, facts=frozenset(), modified=None)  # another tenant's

    def asked(*facts: set[str]) -> set[int]:
        only = SearchFilter(facts=tuple(map(frozenset, facts)))
        (hits,) = store.search([DenseQuery(EAST, 10, only)], OWNER)
        return found(hits)

    assert asked({"tag=a"}) == {0, 1}
    assert asked({"tag=a"}, {"tag=b", "tag=c"}) == {0}
    assert asked({"tag=c"}) == asked(set()) == set()
    assert store.facet("facts", OWNER) == {"tag=a": 2, "tag=b": 1}
    assert store.facet("facts", ANA) == {"tag=a": 1, "tag=b": 1}
    assert store.count(OWNER, SearchFilter(modified_from=moment)) == 1
    store.set_facts("default", HR, facts=frozenset(), modified=None)
    assert store.facet("facts", OWNER) == {"tag=a": 1}
