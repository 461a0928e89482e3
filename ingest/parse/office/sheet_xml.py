"""What the readers of a sheet's XML share."""

S = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def column_of(letters: bytes) -> int:
    """The index, from 0, of a column's letters."""
    index = 0
    for letter in letters:
        index = index * 26 + letter - 64
    return index - 1
