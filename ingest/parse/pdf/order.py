"""Reading order of a page: what stands above comes first.

The layout engine takes centred lines over wide paragraphs for a column of their own and puts
them last. Its order is kept but for that: a block never comes before one that stands wholly
above it and shares its width. Columns share none, so they stay one after the other.
"""

from collections.abc import Sequence

from sovereign_rag.domain import Box

_TOUCH = 0.002  # of the page's height: blocks whose boxes overlap by less stand one above another
_SHARED = 0.1  # of the narrower block's width
_MOST_BLOCKS = 400


def reading_order(boxes: Sequence[Box | None]) -> list[int]:
    """The places of blocks, moved behind those that must come before them."""
    if len(boxes) > _MOST_BLOCKS:
        return list(range(len(boxes)))
    before = [
        {other for other, upper in enumerate(boxes) if upper and box and _is_above(upper, box)}
        for box in boxes
    ]
    left = list(range(len(boxes)))
    order: list[int] = []
    done: set[int] = set()
    while left:
        # "Above" goes strictly up the page, so some block is always free to come next.
        chosen = next(index for index in left if before[index] <= done)
        left.remove(chosen)
        order.append(chosen)
        done.add(chosen)
    return order


def _is_above(upper: Box, lower: Box) -> bool:
    if upper.bottom > lower.top + _TOUCH or upper.top >= lower.top:
        return False
    shared = min(upper.right, lower.right) - max(upper.left, lower.left)
    narrower = min(upper.right - upper.left, lower.right - lower.left)
    return shared > _SHARED * narrower
