"""A list is known by what introduces it, and ends where other text begins."""

from sovereign_rag.text.blocks import blocks, paragraphs


def lists(text: str) -> list[str]:
    return [text[block.start : block.end] for block in blocks(text)]


def test_a_lead_in_and_its_items_are_one_block_however_short_the_items_are() -> None:
    text = (
        "We use these licences:\n\nMIT\n\nBSD\n\nWe avoid others. Typical ones are:\n\nGPL\n\nAGPL"
    )

    assert lists(text) == [
        "We use these licences:\n\nMIT\n\nBSD",
        "We avoid others. Typical ones are:\n\nGPL\n\nAGPL",
    ]


def test_the_text_behind_a_list_does_not_belong_to_it() -> None:
    text = "Bring along:\n\nyour badge\n\nyour laptop\n\nThe reception opens at 7 a.m. Ask there."

    assert lists(text) == ["Bring along:\n\nyour badge\n\nyour laptop"]


def test_bullets_on_lines_of_their_own_are_items() -> None:
    text = "Bring along:\n- your badge\n- your laptop"

    assert lists(text) == [text]


def test_text_without_a_lead_in_holds_no_list() -> None:
    assert blocks("The reception opens at 7 a.m.\n\nIt closes at 8 p.m.") == []
    assert [*paragraphs("One.\n\n Two. ")] == [(0, 4), (7, 11)]


def test_a_list_that_was_run_into_one_paragraph_is_a_block_too() -> None:
    text = "Reuse is free. The reuser has to: * name the source ; * keep the sense of the data."

    (block,) = blocks(text)

    assert [text[start:end] for start, end in block.items] == [
        "* name the source ;",
        "* keep the sense of the data.",
    ]
    assert text[block.start : block.lead_end] == "Reuse is free. The reuser has to:"
