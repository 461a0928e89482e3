"""A signed folder to install from where there is no network, and the way back."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.system.tesseract import data_of

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
    models, tessdata = folder / "models", folder / "tessdata"
    for brought in (models / "writer" / "model.gguf", tessdata / "fra.traineddata"):
        brought.parent.mkdir(parents=True)
        brought.write_text("weights", "utf-8")
    for version in ("1.0", "2.0"):
        wheel(folder / f"wheels-{version}", version)
        made[version] = folder / version
        done = run(
            *(
                "env",
                f"WHEELS={folder / f'wheels-{version}'}",
                f"MODELS={models}",
                f"TESSDATA={tessdata}",
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
        (brought,) = (target / "models").rglob("*.gguf")
        brought.write_text("here", "utf-8")  # by the first: an upgrade copies no gigabytes again

    back = run(bundles["2.0"] / "install.sh", "--back", target)

    assert said == ["1.0", "2.0"]
    assert run(command).stdout.strip() == "1.0"
    assert "restored from the backup" in back.stdout
    assert brought.read_text("utf-8") == "here"
    assert data_of(target / "2.0") == ["--tessdata-dir", str(target / "2.0" / "tessdata")]
    unit = bundles["2.0"] / "deploy" / "systemd" / "sovereign-rag.service"
    assert "ExecStart=/opt/sovereign-rag/current/bin/sovereign-rag serve" in unit.read_text("utf-8")


def test_one_build_of_pytorch_is_among_the_wheels_and_nothing_brings_another(
    tmp_path: Path,
) -> None:
    python = tmp_path / "python"
    python.write_text(_PIP_THAT_TELLS, "utf-8")
    python.chmod(0o755)
    told = ("env", f"WHEELS={tmp_path / 'wheels'}", "TORCH_INDEX=https://index", "LLAMA=later")

    done = run(*told, ROOT / "tools" / "install.sh", python)

    assert done.returncode == 0, done.stderr
    wanted = (tmp_path / "wanted").read_text("utf-8").splitlines()
    (torch,) = (line for line in wanted if line.startswith("torch"))
    assert torch.startswith("torch @ file:///")
    assert torch.endswith(f"torch-9+cpu.whl --hash=sha256:{sha256(b'torch').hexdigest()}")
    locked = (tmp_path / "locked").read_text("utf-8")
    assert "\ntorch==" not in locked
    assert "\nsympy==" in locked  # what it needs is held to its hash all the same


_PIP_THAT_TELLS = f"""#!/bin/bash
folder=$(dirname "$0")
[[ $1 != - ]] || exec {sys.executable} "$@"
while [[ $# -gt 0 ]]; do
    case $1 in
        --dest) printf torch >"$2/torch-9+cpu.whl" ;;
        -c) [[ $2 == constraints.txt ]] || last=$2 ;;
        -r) wanted=$(cat "$2")
            [[ $wanted == *torch* ]] || exit 0
            echo "$wanted" >"$folder/wanted" && cp "$last" "$folder/locked" ;;
    esac
    shift
done
"""
"""In place of pip: fetches a PyTorch, and keeps what is wanted beside it, with which lock."""


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
