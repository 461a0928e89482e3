"""A signed folder to install from where there is no network, and the way back."""

import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ROOT = Path(__file__).parents[2]


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True)


def wheel(folder: Path, version: str) -> None:
    """A wheel of the product's name with its command; its packages take minutes to install."""
    folder.mkdir()
    about = f"sovereign_rag-{version}.dist-info"
    with zipfile.ZipFile(folder / f"sovereign_rag-{version}-py3-none-any.whl", "w") as made:
        made.writestr("srag_stand_in.py", f"def main() -> None:\n    print({version!r})\n")
        made.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: sovereign-rag\nVersion: {version}\n"
        )
        made.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        made.writestr(
            f"{about}/entry_points.txt", "[console_scripts]\nsovereign-rag = srag_stand_in:main\n"
        )
        made.writestr(f"{about}/RECORD", "")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder, key = tmp_path_factory.mktemp("keys"), Ed25519PrivateKey.generate()
    pem, clear = serialization.Encoding.PEM, serialization.NoEncryption()
    private, public = folder / "dpo.pem", folder / "dpo.pub"
    private.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, clear))
    public.write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture(scope="module")
def bundles(keys: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder, made = tmp_path_factory.mktemp("bundles"), {}
    python = folder / "python"  # in place of one that makes the bill, which takes a minute
    python.write_text('#!/bin/sh\necho "{\\"bomFormat\\": \\"CycloneDX\\"}"\n', "utf-8")
    python.chmod(0o755)
    for version in ("1.0", "2.0"):
        wheel(folder / f"wheels-{version}", version)
        made[version] = folder / version
        done = run(
            *(
                "env",
                f"WHEELS={folder / f'wheels-{version}'}",
                "TESSDATA=none",
                f"PYTHON={python}",
            ),
            *(ROOT / "tools" / "bundle.sh", made[version], keys[0]),
        )
        assert done.returncode == 0, done.stderr
    return made


@pytest.mark.namespace
def test_an_upgrade_and_the_way_back_without_a_network(
    bundles: dict[str, Path], keys: tuple[Path, Path], tmp_path: Path
) -> None:
    target, said = tmp_path / "opt", []
    command = target / "current" / "bin" / "sovereign-rag"
    for version in ("1.0", "2.0"):
        sealed = ("unshare", "--map-root-user", "--net", bundles[version] / "install.sh")
        done = run(*sealed, keys[1], target)
        assert done.returncode == 0, done.stderr
        said.append(run(command).stdout.strip())

    back = run(bundles["2.0"] / "install.sh", "--back", target)

    assert said == ["1.0", "2.0"]
    assert run(command).stdout.strip() == "1.0"
    assert "restored from the backup" in back.stdout


def change_a_wheel(bundle: Path) -> None:
    (found,) = (bundle / "wheels").glob("*.whl")
    found.write_bytes(found.read_bytes() + b"x")


def change_a_sum(bundle: Path) -> None:
    change_a_wheel(bundle)
    run("sh", "-c", f"cd {bundle} && sha256sum ./wheels/*.whl > SHA256SUMS")


def change_the_bill_of_materials(bundle: Path) -> None:
    bill = bundle / "sbom.json"
    bill.write_text(bill.read_text("utf-8").replace("CycloneDX", "Cyclone"), "utf-8")


def put_a_wheel_beside(bundle: Path) -> None:
    (bundle / "wheels" / "evil-9.9-py3-none-any.whl").write_bytes(b"evil")


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (change_a_wheel, "a file was changed"),
        (change_a_sum, "not signed by the holder"),
        (change_the_bill_of_materials, "a file was changed"),
        (put_a_wheel_beside, "nobody signed for"),
    ],
)
def test_a_bundle_that_was_tampered_with_installs_nothing(
    bundles: dict[str, Path],
    keys: tuple[Path, Path],
    tmp_path: Path,
    attack: Callable[[Path], None],
    said: str,
) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(bundles["1.0"], bundle)

    attack(bundle)
    done = run(bundle / "install.sh", keys[1], tmp_path / "opt")

    assert done.returncode == 1
    assert said in done.stderr
    assert not (tmp_path / "opt").exists()
