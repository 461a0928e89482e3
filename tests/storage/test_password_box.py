"""A password that waits in the catalog opens for its document, on machines that have the key."""

import shutil
from pathlib import Path

import pytest

from sovereign_rag.errors import BadInput, DocumentError
from sovereign_rag.storage.password_box import KEY_NAME, MAX_PASSWORD_CHARS, Seal
from sovereign_rag.storage.sealing import Sealer

LETTER = {"tenant": "acme", "uri": "upload:user:ana/letter.pdf"}


def test_another_machine_opens_it_with_the_same_key_and_says_the_way_out_without(
    tmp_path: Path,
) -> None:
    here, there, elsewhere = (tmp_path / name for name in ("a", "b", "c"))
    for folder in (here, there, elsewhere):
        folder.mkdir()
    sealed = Seal(Sealer(here)).close("open sesame", **LETTER)
    shutil.copy(here / KEY_NAME, there)

    assert b"sesame" not in sealed
    assert Seal(Sealer(there)).open(sealed, **LETTER) == "open sesame"
    with pytest.raises(DocumentError, match="Hand the document in again"):
        Seal(Sealer(elsewhere)).open(sealed, **LETTER)


@pytest.mark.parametrize("other", [{"tenant": "other"}, {"uri": "upload:user:ana/other.pdf"}])
def test_it_opens_for_no_other_document(tmp_path: Path, other: dict[str, str]) -> None:
    seal = Seal(Sealer(tmp_path))
    sealed = seal.close("open sesame", **LETTER)

    assert seal.open(sealed, **LETTER) == "open sesame"
    with pytest.raises(DocumentError):
        seal.open(sealed, **{**LETTER, **other})


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD_CHARS + 1)])
def test_what_no_format_takes_is_no_password(tmp_path: Path, password: str) -> None:
    with pytest.raises(BadInput):
        Seal(Sealer(tmp_path)).close(password, **LETTER)
