"""Nodes, memory, disk, hours and money for an organisation's numbers, with each sum shown.

    .venv/bin/python tools/plan_scale.py --chunks 40e6 --searches 20 --workers 32

Without arguments: the table of docs/scaling.md. What a figure rests on stands beside it: measured
(docs/scaling.md, docs/performance.md), Qdrant's documents, or reasoned from those.
"""

import argparse
import math
from dataclasses import dataclass, fields
from typing import Final

SIZES: Final = (1e6, 10e6, 100e6, 1e9)


@dataclass(frozen=True)
class Organisation:
    """What is to be planned for."""

    chunks: float
    copies: int = 3
    node_gb: float = 64.0  # memory of a Qdrant node
    searches: float = 10.0  # a second, at the busiest time
    workers: int = 16  # cores that embed
    gpus: int = 0  # machines that embed behind an endpoint, instead of the cores
    chunks_per_document: float = 25.0
    mb_per_document: float = 0.8  # original, text and page images


@dataclass(frozen=True)
class Figures:
    """What a chunk costs; the comment says where it is from."""

    memory_kb: float = 1.9  # measured on 500,000: 8-bit copies, graph, indexes; one copy
    disk_kb: float = 5.5  # measured: vectors, texts, log; one copy
    disk_reserve: float = 2.0  # Qdrant's documents: a segment is written anew before the old goes
    memory_share: float = 0.7  # reasoned: of a node, the rest for the system and segments in work
    most_gb: float = 512.0  # reasoned: beyond it a node takes too long to come back
    # Measured: a hybrid search in one shard of 500,000. Reasoned: every shard is asked, and a
    # larger one costs little more, since a graph's way grows with the logarithm.
    search_cpu_s: float = 0.06
    load: float = 0.5  # reasoned: of the cores, else the slowest searches wait
    cpu_embeds: float = 7.8  # measured: chunks a second of one core, the bundled model
    gpu_embeds: float = (
        1_500.0  # reasoned, not measured: a small model behind text-embeddings-inference
    )
    document_rows_kb: float = 3.0  # reasoned: rows and indexes of the catalog
    memory_eur: float = 4.0  # a GB and month, reasoned: rented servers in Europe
    disk_eur: float = 0.08  # a GB and month of SSD, likewise
    object_eur: float = 0.02  # a GB and month of object storage, likewise
    core_eur: float = 10.0  # a core and month, likewise


@dataclass(frozen=True)
class Plan:
    """What it takes; memory and disk are those of all copies together."""

    memory_gb: float
    disk_gb: float
    nodes: int
    node_gb: float
    shards: int
    search_cores: int
    ingestion_hours: float
    catalog_gb: float
    content_gb: float
    eur_a_month: float


def plan(for_: Organisation, figures: Figures = Figures()) -> Plan:
    """The sums, each in one line."""
    memory_gb = for_.chunks * for_.copies * figures.memory_kb / 1e6
    disk_gb = for_.chunks * for_.copies * figures.disk_kb * figures.disk_reserve / 1e6
    nodes = max(for_.copies, math.ceil(memory_gb / (for_.node_gb * figures.memory_share)))
    shards = 2 * nodes  # twice the nodes: as many can be added before a reindex
    search_cores = math.ceil(for_.searches * figures.search_cpu_s * shards / figures.load)
    embeds = for_.gpus * figures.gpu_embeds if for_.gpus else for_.workers * figures.cpu_embeds
    documents = for_.chunks / for_.chunks_per_document
    catalog_gb = documents * figures.document_rows_kb / 1e6
    content_gb = documents * for_.mb_per_document / 1e3
    eur = (
        nodes * for_.node_gb * figures.memory_eur
        + (disk_gb + catalog_gb) * figures.disk_eur
        + content_gb * figures.object_eur
        + (search_cores + for_.workers) * figures.core_eur
    )
    return Plan(
        memory_gb=memory_gb,
        disk_gb=disk_gb,
        nodes=nodes,
        node_gb=for_.node_gb,
        shards=shards,
        search_cores=search_cores,
        ingestion_hours=for_.chunks / embeds / 3_600,
        catalog_gb=catalog_gb,
        content_gb=content_gb,
        eur_a_month=eur,
    )


def rows() -> list[tuple[Organisation, Plan]]:
    """What docs/scaling.md shows: from one node's size to a cluster's."""
    made = []
    for chunks in SIZES:
        for_ = Organisation(
            chunks=chunks,
            node_gb=16.0 if chunks <= 1e6 else 64.0 if chunks <= 100e6 else 256.0,
            searches=5.0 if chunks <= 1e6 else 10.0 if chunks <= 10e6 else 50.0,
            workers=8 if chunks <= 1e6 else 32 if chunks <= 10e6 else 64,
            gpus=0 if chunks <= 10e6 else 4,
        )
        made.append((for_, plan(for_)))
    return made


def table() -> str:
    """The table of docs/scaling.md."""
    titles = (
        "chunks", "nodes", "memory, 3 copies", "disk, 3 copies", "`store.shards`",
        "searches a second: cores", "first ingestion", "catalog", "content", "EUR a month",
    )  # fmt: skip
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for for_, made in rows():
        by = f"{for_.gpus} GPUs" if for_.gpus else f"{for_.workers} cores"
        lines.append(
            f"| {_number(for_.chunks)} | {made.nodes} of {made.node_gb:g} GB "
            f"| {_gb(made.memory_gb)} | {_gb(made.disk_gb)} | {made.shards} "
            f"| {for_.searches:g}: {made.search_cores} | {_hours(made.ingestion_hours)}, {by} "
            f"| {_gb(made.catalog_gb)} | {_gb(made.content_gb)} | {_round(made.eur_a_month)} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for field in fields(Organisation):
        default = None if field.name == "chunks" else field.default
        kind = int if field.type == "int" or field.type is int else float
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=default)
    given = parser.parse_args()
    if given.chunks is None:
        print(table())
        return
    for_ = Organisation(**vars(given))
    made = plan(for_)
    own = Figures()
    copies = f"{for_.chunks:,.0f} x {for_.copies}"
    print(f"memory      {copies} x {own.memory_kb} KB = {_gb(made.memory_gb)}")
    print(f"disk        {copies} x {own.disk_kb} KB x {own.disk_reserve:g} = {_gb(made.disk_gb)}")
    print(
        f"nodes       {_gb(made.memory_gb)} / ({for_.node_gb:g} GB x {own.memory_share:g}), at "
        f"least {for_.copies} = {made.nodes}; store.shards = {made.shards}"
    )
    print(
        f"searches    {for_.searches:g} a second x {own.search_cpu_s} s x {made.shards} shards / "
        f"{own.load} = {made.search_cores} cores"
    )
    print(
        f"ingestion   {_hours(made.ingestion_hours)} with {for_.gpus or for_.workers} "
        f"{'GPUs' if for_.gpus else 'cores'}"
    )
    print(f"catalog     {_gb(made.catalog_gb)} of PostgreSQL; content {_gb(made.content_gb)}")
    print(f"money       about {_round(made.eur_a_month)} EUR a month, by the prices in this file")


def _number(value: float) -> str:
    return f"{value / 1e9:g} billion" if value >= 1e9 else f"{value / 1e6:g} million"


def _gb(value: float) -> str:
    return f"{value / 1_000:.1f} TB" if value >= 1_000 else f"{value:.1f} GB"


def _hours(value: float) -> str:
    return f"{value / 24:.0f} days" if value >= 72 else f"{value:.0f} h"


def _round(value: float) -> str:
    digits = max(0, int(math.log10(value)) - 1)
    return f"{round(value / 10**digits) * 10**digits:,}"


if __name__ == "__main__":
    main()
