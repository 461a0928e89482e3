"""The check that a page has only the numbers of its source."""

from ingest.parse.document.numbers import number_tokens, number_warning


def test_a_number_that_the_source_lacks_is_named_with_its_page() -> None:
    warning = number_warning(3, "Rate | 26 | 0.06", "Rate 2.6 0.06")

    assert warning is not None
    assert "Page 3" in warning
    assert "26" in warning


def test_the_same_numbers_in_another_order_are_no_warning() -> None:
    assert number_warning(1, "-0.06 | 1,020 | (26)", "26 then 1,020 and \u22120.06") is None


def test_a_number_more_often_than_in_the_source_is_named() -> None:
    assert number_warning(1, "2009 | 2009", "2009") is not None
    assert number_tokens("2009 | 2009")["2009"] == 2
