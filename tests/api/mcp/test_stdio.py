"""`sovereign-rag mcp`: the tools on standard input and output, over a folder or an address."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from tests.api.conftest import Product

TOOLS = ["search", "fetch", "ask", "list_documents"]


def seen_by(*arguments: str) -> set[str]:
    """The names of the documents that the program lists, started as a tool."""
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "sovereign_rag.cli", "mcp", *arguments]
    )

    async def run() -> set[str]:
        with anyio.fail_after(240):
            async with Client(server) as client:
                listed = await client.list_tools()
                assert [tool.name for tool in listed.tools] == TOOLS
                documents = await client.call_tool("list_documents", {})
                assert not documents.is_error, documents.content
                return {one["name"] for one in documents.structured_content["documents"]}

    return anyio.run(run)


def test_over_a_folder_it_acts_as_its_owner_or_as_somebody_named(product: Product) -> None:
    folder = str(product.application.settings.data_dir)

    everything = seen_by("--data-dir", folder)
    ana_s = seen_by("--data-dir", folder, "--as", "user:ana", "--groups", "finance")

    assert set(product.documents) <= everything
    assert "salaries.md" not in ana_s
    assert "Informationsfreiheitsgesetz-Auszug.eml" in ana_s


def test_over_an_address_it_acts_as_the_user_of_its_key(product: Product, tmp_path: Path) -> None:
    key = tmp_path / "hugo.key"
    key.write_text(product.keys["hugo"] + "\n", encoding="utf-8")

    hugo_s = seen_by("--url", product.url, "--key-file", str(key))
    key.write_text(product.keys["ana"], encoding="utf-8")
    ana_s = seen_by("--url", product.url, "--key-file", str(key))

    assert "salaries.md" in hugo_s
    assert "salaries.md" not in ana_s


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--url", "URL"], "key valid"),
        (["--url", "http://127.0.0.1:9"], "can't be used"),
        (["--url", "URL", "--as", "user:ana"], "key says who asks"),
        (["--key-file", "somewhere"], "--url"),
    ],
)
def test_what_can_not_be_served_ends_with_a_line_that_says_why(
    product: Product, arguments: list[str], word: str
) -> None:
    named = [product.url if one == "URL" else one for one in arguments]

    ended = subprocess.run(
        [sys.executable, "-m", "sovereign_rag.cli", "mcp", *named],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=240,
        check=False,
    )

    assert ended.returncode in {2, 3}
    assert word in ended.stderr
    assert ended.stdout == ""
