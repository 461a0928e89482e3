"""What is read of a GGUF file agrees with the library of those who define the format."""

import gguf

from sovereign_rag.models.gguf_header import BLOCK_SIZES


def test_the_sizes_of_blocks_are_those_of_the_gguf_package() -> None:
    stored = {kind: sizes for kind, sizes in gguf.GGML_QUANT_SIZES.items() if kind.name != "Q8_1"}

    assert {kind.value: sizes for kind, sizes in stored.items()} == BLOCK_SIZES
