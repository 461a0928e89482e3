"""An admin asks over HTTP and at the command line why somebody can or can't read a document."""

import pytest

from tests.api.conftest import Product
from tests.cli.running import CommandLine

SALARIES = "salaries.md"


def test_an_admin_is_told_why_over_http(product: Product) -> None:
    document = product.documents[SALARIES]

    with product.client("admin") as client:
        hugo, ana = (
            client.get("/v1/access/explain", params={"user": user, "document": document}).json()
            for user in ("hugo", "ana")
        )

    assert (hugo["readable"], hugo["verdicts"][0]["meets"]) == (True, ["group:hr"])
    assert (ana["readable"], ana["verdicts"][0]["meets"]) == (False, [])
    assert hugo["labels"][0]["since"]["by"] == "owner"
    assert (hugo["uri"], hugo["labels"][0]["since"]["origin"]) == (None, [])  # not hers to read


@pytest.mark.parametrize(("who", "status"), [("hugo", 403), ("stranger", 404), ("admin", 200)])
def test_nobody_else_is_told(product: Product, who: str, status: int) -> None:
    asked = {"user": "hugo", "document": product.documents[SALARIES]}

    with product.client(who) as client:
        assert client.get("/v1/access/explain", params=asked).status_code == status


def test_the_command_line_tells_the_owner(
    product: Product, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(product.application.settings.data_dir, capsys)
    document = product.documents[SALARIES]

    allowed = cli("access", "explain", "ana", document, "--groups", "hr")
    refused = cli("access", "explain", "ana", document, "--groups", "finance")
    listed = cli("access", "of", "--group", "hr", "--json").json["documents"]
    others = cli("access", "of", "ana", "--groups", "finance", "--json").json["documents"]
    nobody = cli("access", "of")

    assert "can read it, by group:hr." in allowed.out
    assert "can't read it: none of its readers" in refused.out
    assert document in {one["document_id"] for one in listed}
    assert document not in {one["document_id"] for one in others}
    assert nobody.code == 2
