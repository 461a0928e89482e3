"""Which selectors of a page's style sheets match an element.

cssselect2 tests a selector against an element. Before that a selector has to name nothing but what
the element and those around it have, which costs a fraction of a test, as browsers do it; and what
a page may cost in all is bounded.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Final, NamedTuple

import cssselect2
from cssselect2 import parser
from cssselect2.compiler import CompiledSelector

from sovereign_rag.errors import DocumentError

_FAR_SIBLING: Final = 1_000  # a `~` reaches no further back: the work would grow by the square
_MOST_NAMES: Final = 300  # above an element; with more nothing is told from them
_MOST_LOOKS: Final = 60_000_000  # at a rule for an element: about ten seconds
_TEST: Final = 10  # looks that a test costs

Names = frozenset[str]
"""Tags as they are, classes as ".name", identifiers as "#name", attributes as "[name"."""


class StyledElement(cssselect2.ElementWrapper):  # type: ignore[misc]  # the package has no types
    """An element to be matched, of a tree as deep and as wide as it likes.

    cssselect2 finds ancestors and siblings by recursion and keeps them all for each element.
    """

    @property
    def ancestors(self) -> list["StyledElement"]:
        found: list[StyledElement] = []
        at = self.parent
        while at is not None:
            found.append(at)
            at = at.parent
        return found

    @property
    def previous_siblings(self) -> list["StyledElement"]:
        found: list[StyledElement] = []
        at = self.previous
        while at is not None and len(found) < _FAR_SIBLING:
            found.append(at)
            at = at.previous
        return found

    @cached_property
    def names(self) -> Names:
        """What a selector may name it by."""
        attributes = self.etree_element.keys()
        return frozenset(
            (
                self.local_name.lower(),
                *(f".{name}" for name in self.classes),
                *([f"#{self.id}"] if self.id is not None else ()),
                *(f"[{name.lower()}" for name in attributes),
            )
        )

    @cached_property
    def names_above(self) -> Names | None:
        """The names of the elements around it; None: too many."""
        if self.parent is None:
            return frozenset()
        above: Names | None = self.parent.names_above
        if above is None or self.parent.names <= above:
            return above
        every = above | self.parent.names
        return every if len(every) <= _MOST_NAMES else None


class _Wanted(NamedTuple):
    """A rule's content, and what an element and those around it need for it."""

    payload: Any
    names: Names
    above: Names


class Matcher(cssselect2.Matcher):  # type: ignore[misc]  # the package has no types
    """Rules by what their selectors name last.

    `match` raises DocumentError, "too_large", where a page costs too much.
    """

    def __init__(self, most_looks: int = _MOST_LOOKS) -> None:
        """`most_looks`: how often a rule may be looked at for an element, in all."""
        super().__init__()
        self._left = most_looks

    def add(self, selectors: str, payload: object) -> None:
        """Add a rule.

        Raises:
                cssselect2.SelectorError, RecursionError, SyntaxError, ValueError: It can't be read.
        """
        for one in list(parser.parse(selectors)):
            names, above = _wanted(one.parsed_tree)
            self.add_selector(CompiledSelector(one), _Wanted(payload, names, above))

    def add_relevant_selectors(
        self, element: StyledElement, selectors: Sequence[Any], relevant_selectors: list[Any]
    ) -> None:
        names, above = element.names, element.names_above
        tests = 0
        for test, specificity, order, pseudo, wanted in selectors:
            if wanted.names <= names and (above is None or wanted.above <= above):
                tests += 1
                if test(element):
                    relevant_selectors.append((specificity, order, pseudo, wanted.payload))
        self._left -= len(selectors) + _TEST * tests
        if self._left < 0:
            raise DocumentError(
                "too_large",
                "The page has so many style rules for so many elements that it can't be told what "
                "of it is shown. Print it to a PDF file in a browser, and hand that in.",
            )


def _wanted(tree: Any) -> tuple[Names, Names]:
    """The names that the last element of a selector has, and those of elements around it."""
    last, above = tree, set[str]()
    while isinstance(last, parser.CombinedSelector):
        left = last.left
        nearest = left.right if isinstance(left, parser.CombinedSelector) else left
        if last.combinator in (" ", ">"):
            above.update(_named(nearest.simple_selectors))
        last = left
    own = tree.right if isinstance(tree, parser.CombinedSelector) else tree
    return frozenset(_named(own.simple_selectors)), frozenset(above)


def _named(simple: Iterable[Any]) -> Iterator[str]:
    for one in simple:
        match one:
            case parser.LocalNameSelector():
                yield one.lower_local_name
            case parser.ClassSelector():
                yield f".{one.class_name}"
            case parser.IDSelector():
                yield f"#{one.ident}"
            case parser.AttributeSelector():
                yield f"[{one.lower_name}"
