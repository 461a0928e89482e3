"""Acts under way: each is ended by one process alone."""

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.operations import Operation


def operation(id_: str, holder: str = "here:1:a") -> Operation:
    return Operation(
        id=id_,
        action="delete",
        tenant="default",
        principal="user:ana",
        by={"key": "8d21"},
        detail={"document": "d"},
        holder=holder,
        is_recorded=False,
    )


def test_an_act_is_known_until_it_has_ended(catalog: Catalog) -> None:
    first, second = operation("1"), operation("2")
    catalog.operations.announce(first)
    catalog.operations.announce(second)

    both = catalog.operations.all()
    catalog.operations.confirm("1")
    catalog.operations.end("2")
    catalog.operations.end("2")
    (left,) = catalog.operations.all()

    assert both == [first, second]
    assert (left.id, left.is_recorded) == ("1", True)


def test_of_two_that_find_an_act_one_ends_it(catalog: Catalog) -> None:
    catalog.operations.announce(operation("1"))
    catalog.operations.release("1")
    (found,) = catalog.operations.all()

    claims = [catalog.operations.claim(found, f"here:{n}:x") for n in range(2)]

    assert found.holder == ""
    assert claims == [True, False]


def test_an_act_that_is_announced_again_is_one(catalog: Catalog) -> None:
    catalog.operations.announce(operation("1"))

    catalog.operations.announce(operation("1", holder=""))

    assert catalog.operations.all() == [operation("1", holder="")]
