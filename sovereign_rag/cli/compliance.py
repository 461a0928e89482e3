"""`sbom` and `egress`: what this installation is made of, and whom it may speak to."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.output import facts, print_json, table
from sovereign_rag.errors import BadInput, EnvironmentFault

if TYPE_CHECKING:
    from sovereign_rag.compliance.self_test import SelfTest

app = new_app("Say what this installation is made of.")
egress_app = new_app("Say whom this installation may speak to, and prove it.")

KIND = "egress"


@command(
    app,
    "sbom",
    examples=(
        "sovereign-rag sbom > sbom.cdx.json",
        "sovereign-rag sbom --licences",
        "sovereign-rag sbom --to sbom.cdx.json --key dpo.pem",
        "sovereign-rag sbom --verify sbom.cdx.json --public-key dpo.pub",
    ),
)
def sbom(
    run: CommandRun,
    *,
    licences: Annotated[
        bool, typer.Option("--licences", help="A list of names, versions and licences instead.")
    ] = False,
    models: Annotated[
        bool, typer.Option("--models/--no-models", help="Hash the models' files as well.")
    ] = True,
    wheels: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Of the packages whose wheels lie there, instead."),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where it is written, FILE.sig beside it.")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="Sign it with this key, as `audit key` makes one.")
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option("--verify", metavar="FILE", help="Check one that was signed, by FILE.sig."),
    ] = None,
    public_key: Annotated[Path | None, typer.Option(help="Of whoever signed it.")] = None,
) -> None:
    """Print a bill of materials in CycloneDX 1.6: packages, and models with each of their files.

    A signature is Ed25519's, over the file as it is: `openssl pkeyutl -verify -rawin` checks it.
    """
    from sovereign_rag.compliance import sbom as making

    if (to is None) != (key is None) or (check is None) != (public_key is None):
        raise BadInput("--key signs what --to writes, --public-key checks what --verify names.")
    if check is not None and public_key is not None:
        _verify_bill(run, check, public_key)
        return
    made = making.bill(run.settings, with_models=models, wheels=wheels)
    if licences and not run.json:
        run.out.print(table(("name", "version", "licence"), making.licences(made)))
        return
    text = json.dumps(made, indent=2, ensure_ascii=True) + "\n"
    if to is not None and key is not None:
        _sign_bill(to, text.encode(), key)
    else:
        sys.stdout.write(text)


def _sign_bill(to: Path, text: bytes, key: Path) -> None:
    from sovereign_rag.storage.audit_signing import private_key

    signature = private_key(key).sign(text)
    try:
        to.write_bytes(text)
        to.with_name(f"{to.name}.sig").write_bytes(signature)
    except OSError as error:
        raise EnvironmentFault(f"{to} can't be written: {error.strerror}.") from error


def _verify_bill(run: CommandRun, file: Path, key: Path) -> None:
    """Raises BadInput: the file is not the one that was signed, or not by the holder of the key."""
    from cryptography.exceptions import InvalidSignature

    from sovereign_rag.storage.audit_signing import public_key as read_key

    try:
        text, signature = file.read_bytes(), file.with_name(f"{file.name}.sig").read_bytes()
    except OSError as error:
        raise BadInput(f"{error.filename} can't be read: {error.strerror}.") from error
    try:
        read_key(key).verify(signature, text)
    except InvalidSignature:
        raise BadInput(
            f"The bill of materials {file} is not signed with this key, or was changed since. Do "
            "not use it: compare it with another copy."
        ) from None
    components = len(json.loads(text)["components"])
    if run.json:
        print_json({"file": str(file), "signed": True, "components": components})
    else:
        run.out.print(f"{file} is as it was signed: {components} components.")


@command(
    egress_app,
    "report",
    examples=(
        "sovereign-rag egress report",
        "sovereign-rag egress report --self-test --key dpo.pem --to egress.json",
    ),
)
def report(
    run: CommandRun,
    *,
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test",
            help="Take a document in, ask and delete it without a network, under a trace of "
            "system calls (strace).",
        ),
    ] = False,
    key: Annotated[
        Path | None, typer.Option(help="Sign it with this key, as `audit key` makes one.")
    ] = None,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Where it is written.")] = None,
) -> None:
    """List every address that the settings allow, and what would be sent there.

    `models fetch` contacts the hub that it names when you run it, and nothing else ever does.
    Exit code 3: the self-test saw something leave, or could not be run.
    """
    from sovereign_rag.cli.on_record import audited
    from sovereign_rag.compliance.egress import destinations

    if (to is None) != (key is None):
        raise BadInput("--key signs what --to writes: give both or neither.")
    listed = [asdict(destination) for destination in destinations(run.settings)]
    tested: SelfTest | None = None
    with audited(run, "egress.report", {"self_test": self_test}) as outcome:
        if self_test:
            from sovereign_rag.compliance.self_test import run_self_test

            tested = run_self_test()
            outcome["passed"] = tested.is_passed
    made = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "destinations": listed,
        "self_test": None if tested is None else {**asdict(tested), "passed": tested.is_passed},
    }
    if to is not None and key is not None:
        _write(to, made, key)
    if run.json:
        print_json(made)
    else:
        _print(run, listed, tested)
    if tested is not None and not tested.is_passed:
        raise EnvironmentFault(
            "The self-test did not pass. Look at what it saw with --json, and report it."
        )


@command(
    egress_app, "verify", examples=("sovereign-rag egress verify egress.json --public-key dpo.pub",)
)
def verify(
    run: CommandRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="As `egress report` wrote it.")],
    public_key: Annotated[Path, typer.Option(help="Of whoever signed it.")],
) -> None:
    """Verify a signed report, and print what it says."""
    from sovereign_rag.storage.audit_signing import public_key as read_key
    from sovereign_rag.storage.signed_statements import statement_in

    print_json(statement_in(file, KIND, read_key(public_key), what="The report"))


def _write(to: Path, made: Mapping[str, object], key: Path) -> None:
    from sovereign_rag.storage.audit_signing import private_key
    from sovereign_rag.storage.signed_statements import signed_statement

    try:
        to.write_bytes(signed_statement(KIND, made, private_key(key)))
    except OSError as error:
        raise EnvironmentFault(f"{to} can't be written: {error.strerror}.") from error


def _print(run: CommandRun, listed: list[dict[str, object]], tested: "SelfTest | None") -> None:
    if listed:
        columns = ("address", "setting", "what is sent", "when")
        rows = [(d["address"], d["setting"], d["sent"], d["when"]) for d in listed]
        run.out.print(table(columns, rows))
    else:
        run.out.print("The settings allow no address at all.")
    if tested is not None:
        run.out.print(
            facts(
                {
                    "self-test": "passed" if tested.is_passed else "NOT PASSED",
                    "answered": "yes" if tested.answered else "no",
                    "network": "none" if tested.confined else "this machine gives no namespace",
                    "calls seen": tested.calls if tested.traced else "strace is not installed",
                    "left the machine": len(tested.departures),
                }
            )
        )
