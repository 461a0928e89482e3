#!/usr/bin/env bash
# Puts all that an installation without a network needs into one signed folder:
#
#   tools/bundle.sh FOLDER KEY
#
# FOLDER is new. KEY is an Ed25519 key (PEM), as `sovereign-rag audit key` makes one; whoever installs
# from the folder needs its public key, by another way than the folder.
#
#   PYTHON=python3.12    of the target's version; unset: that of .venv
#   WHEELS=FOLDER        wheels that are there already, the product's own among them, instead of
#                        building and fetching them (tools/install.sh holds those to their hashes)
#   MODELS=FOLDER        models to take along, as `models import` keeps them
#   TESSDATA=FOLDER      data of Tesseract's languages to take along; "none": none
#   CMAKE_ARGS=...       of llama.cpp's build: "-DGGML_NATIVE=OFF" for another processor than this one
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

[[ $# == 2 ]] || { sed -n '2,16p' "${BASH_SOURCE[0]}" >&2; exit 2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
folder=$(realpath -m "$1") key=$2
[[ -z ${MODELS:-} ]] || MODELS=$(realpath "$MODELS")
[[ ! -e $folder ]] || fail "$folder is there already; name a new one"
openssl pkey -in "$key" -noout 2>/dev/null || fail "$key is no private key"
python=${PYTHON:-$PWD/.venv/bin/python}

mkdir -p "$folder/wheels"
if [[ -n ${WHEELS:-} ]]; then
    cp "$WHEELS"/*.whl "$folder/wheels/"
else
    WHEELS=$folder/wheels tools/install.sh "$python" postgresql
    "$python" -m pip --disable-pip-version-check --quiet wheel --no-deps -w "$folder/wheels" .
fi
[[ -n $(find "$folder/wheels" -name 'sovereign_rag-*.whl' -print -quit) ]] ||
    fail "the product's own wheel is not among the wheels"

cp -r docs deploy constraints.txt requirements.lock LICENSE NOTICE CHANGELOG.md "$folder/"
cp tools/install_bundle.sh "$folder/install.sh"
sed -i 's|/opt/sovereign-rag/bin/|/opt/sovereign-rag/current/bin/|' "$folder"/deploy/systemd/*.service
[[ -z ${MODELS:-} ]] || cp -r "$MODELS" "$folder/models"
tessdata=${TESSDATA:-$(find /usr/share/tesseract-ocr -type d -name tessdata -print -quit 2>/dev/null || true)}
[[ $tessdata == none || -z $tessdata ]] || cp -r "$tessdata" "$folder/tessdata"
if "$python" -c 'import sovereign_rag' 2>/dev/null; then
    # Of what is in the folder, not of what else the Python or the models' folder of this machine has.
    own_models=${MODELS:-$(mktemp -d)}
    (cd / && SOVEREIGN_RAG_MODELS_DIR=$own_models "$python" -m sovereign_rag sbom --wheels "$folder/wheels") \
        >"$folder/sbom.json" || fail "the bill of materials could not be made"
    [[ -n ${MODELS:-} ]] || rm -rf "$own_models"
fi
find "$folder/wheels" -name 'sovereign_rag-*.whl' -printf '%f\n' | cut -d- -f2 >"$folder/VERSION"

(cd "$folder" && find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.sig -print0 | sort -z |
    xargs -0 sha256sum >SHA256SUMS)
openssl pkeyutl -sign -inkey "$key" -rawin -in "$folder/SHA256SUMS" -out "$folder/SHA256SUMS.sig"
printf '%s: version %s, %s files, %s\n' "$folder" "$(cat "$folder/VERSION")" \
    "$(wc -l <"$folder/SHA256SUMS")" "$(du -sh "$folder" | cut -f1)"
