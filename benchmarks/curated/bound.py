"""The bound from which a question is another wording of one that the house keeps an answer for.

Embeds the questions of wordings.toml with the model that the settings name, and prints for each
bound which share of the same questions pass, and which of others. A wrong answer that a person
signed does more harm than a search, so the bound to take lets none of the others pass.

    .venv/bin/python benchmarks/curated/bound.py
"""

import tomllib
from pathlib import Path

import numpy as np

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import load_settings

HERE = Path(__file__).resolve().parent


def main() -> None:
    questions = tomllib.loads((HERE / "wordings.toml").read_text(encoding="utf-8"))["question"]
    embedder = DenseEmbedder.open(load_settings())
    texts = [t for q in questions for t in (q["asked"], *q["same"], *q["other"])]
    vectors = dict(zip(texts, embedder.embed_queries(texts), strict=True))
    same = [vectors[q["asked"]] @ vectors[t] for q in questions for t in q["same"]]
    other = [vectors[q["asked"]] @ vectors[t] for q in questions for t in q["other"]]
    print(f"{embedder.model_id}: {len(same)} same, {len(other)} others")
    print(f"the likest of the others: {max(other):.4f}")
    for bound in (0.93, 0.94, 0.95, 0.96, 0.965, 0.97, 0.972, 0.975, 0.98, 0.99):
        passed, wrong = np.mean(np.array(same) >= bound), np.mean(np.array(other) >= bound)
        print(f"{bound:.3f}: same {passed:6.1%}, others {wrong:6.1%}")


if __name__ == "__main__":
    main()
