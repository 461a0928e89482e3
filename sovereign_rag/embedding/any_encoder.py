"""Models of any build, computed by sentence-transformers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sovereign_rag.embedding.folder import ModelFolder

if TYPE_CHECKING:
    from torch import Tensor, dtype


class AnyEncoder:
    """Tokens -> one vector a text. Any number of threads may call it.

    For what `BertEncoder` does not know: importing the library takes some seconds, and texts are
    filled up to the longest of a batch.
    """

    def __init__(self, folder: ModelFolder, precision: "dtype") -> None:
        """Loads the weights; raises whatever the library's readers do."""
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()
        self._padding = folder.padding
        self._model = SentenceTransformer(
            str(folder.path),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": precision},
        )

    def __call__(self, batch: Sequence[Sequence[int]]) -> "Tensor":
        """Vectors of texts given as token ids; float32, shape (texts, width), of any length."""
        import torch

        longest = max(map(len, batch))
        ids = torch.full((len(batch), longest), self._padding)
        mask = torch.zeros((len(batch), longest), dtype=torch.long)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = torch.tensor(tokens)
            mask[row, : len(tokens)] = 1
        with torch.inference_mode():
            # Not `encode`: its tokenizer is one object that two threads may not use at once.
            computed = self._model({"input_ids": ids, "attention_mask": mask})
            vectors: Tensor = computed["sentence_embedding"].float()
            return vectors
