#!/usr/bin/env bash
# Makes .venv ready: `tools/setup.sh app` for running, `tools/setup.sh dev` for the tests too,
# `tools/setup.sh extracts` for answers without a language model, before llama.cpp is compiled.
# A second run does nothing until pyproject.toml, requirements.lock or these scripts change.
# tools/install.sh holds every package to its hash.
#
#   PYTHON=python3.12       which Python makes .venv; unset: the first of 3.11, 3.12, 3.13 found
#   TORCH_INDEX=URL         package index to take PyTorch from, e.g. its makers' one of CPU builds
#   SYSTEM_PACKAGES=no      install no system package, only name what is missing
#   CMAKE_ARGS=...          passed on to the build of llama.cpp. By default it is compiled for this
#                           very CPU; "-DGGML_NATIVE=OFF" makes a .venv that runs on others too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kind=${1:-app}
[[ $kind == app || $kind == dev || $kind == extracts ]] || {
    echo "usage: tools/setup.sh app|dev|extracts" >&2
    exit 2
}

say() { printf '\033[1m%s\033[0m\n' "$*" >&2; }
warn() { printf 'warning: %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# ---- system packages ------------------------------------------------------------------------

missing=()       # Debian packages that are wanted and not there
must_have=()     # those of them without which nothing works

want() { missing+=("$1"); }
need() { missing+=("$1"); must_have+=("$1"); }

has_library() { "$1" -c "import ctypes.util, sys; sys.exit(not ctypes.util.find_library('$2'))"; }

look_for_system_packages() {
    local python=$1 known language
    has_library "$python" magic || need libmagic1
    if ! .venv/bin/python -c 'import importlib.metadata as m; m.version("llama-cpp-python")' \
        2>/dev/null && ! command -v c++ >/dev/null; then
        need build-essential # llama.cpp has no ready-made package: it is compiled here
    fi
    command -v tesseract >/dev/null || want tesseract-ocr
    known=$(tesseract --list-langs 2>/dev/null || true)
    for language in eng fra deu spa ita; do
        grep -qx "$language" <<<"$known" || want "tesseract-ocr-$language"
    done
    if [[ $kind == dev ]]; then
        command -v chromium >/dev/null || command -v google-chrome >/dev/null || want chromium
        command -v slapd >/dev/null || [[ -x /usr/sbin/slapd ]] || want slapd # a directory, by LDAP
        command -v ldapmodify >/dev/null || want ldap-utils
        command -v strace >/dev/null || want strace # shows that no process reaches for a network
        command -v unshare >/dev/null || want util-linux
        [[ -n $(find /usr/share/fonts -name '*.?tf' -print -quit 2>/dev/null) ]] ||
            want fonts-dejavu-core
        if ! command -v soffice >/dev/null; then # reads .doc and .ppt
            want libreoffice-writer-nogui
            want libreoffice-calc-nogui
            want libreoffice-impress-nogui
        fi
    fi
}

as_root() { if [[ $(id -u) == 0 ]]; then "$@"; else sudo -n "$@"; fi; }

may_install() {
    [[ ${SYSTEM_PACKAGES:-yes} != no ]] && command -v apt-get >/dev/null &&
        { [[ $(id -u) == 0 ]] || sudo -n true 2>/dev/null; }
}

install_system_packages() {
    local python=$1
    missing=() must_have=()
    look_for_system_packages "$python"
    [[ ${#missing[@]} -gt 0 ]] || return 0
    if may_install; then
        say "Installing system packages: ${missing[*]}"
        as_root apt-get update -qq || warn "apt-get update failed; trying with the lists there are"
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null ||
            warn "apt-get could not install them all"
        missing=() must_have=()
        look_for_system_packages "$python"
        [[ ${#missing[@]} -gt 0 ]] || return 0
    fi
    if [[ ${#must_have[@]} -gt 0 ]]; then
        fail "These system packages are needed: ${must_have[*]}. On Debian or Ubuntu:
    sudo apt-get install ${missing[*]}
Elsewhere, install the packages of the same programs, then run this again."
    fi
    warn "Going on without ${missing[*]}: Tesseract reads scanned pages, LibreOffice .doc and .ppt,
Chromium and strace are for the tests. To add them:
    sudo apt-get install ${missing[*]}"
}

# ---- Python -----------------------------------------------------------------------------------

fits() {
    "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3}; do
        if command -v "$candidate" >/dev/null && fits "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11, 3.12 or 3.13 is needed${PYTHON:+ and $PYTHON is none of them}. Install one, \
for example
    sudo apt-get install python3 python3-venv
or name it: PYTHON=/path/to/python3.12 make setup"
}

make_venv() {
    local python=$1
    if [[ -x .venv/bin/python ]] && fits .venv/bin/python; then return; fi
    [[ ! -e .venv ]] || fail ".venv holds no usable Python 3.11 to 3.13. Remove it with \`make clean\`."
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        may_install && as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends python3-venv >/dev/null ||
            fail "$python cannot make virtual environments:  sudo apt-get install python3-venv"
    fi
    say "Making .venv with $("$python" --version)"
    "$python" -m venv .venv
}

install_python_packages() {
    local names=()
    [[ $kind != dev ]] || names=(postgresql dev)
    say "Installing Python packages"
    LLAMA=$([[ $kind != extracts ]] || echo later) \
        tools/install.sh "$PWD/.venv/bin/python" "${names[@]}"
    # What stands here has no hash; the setuptools that builds it has.
    .venv/bin/python -m pip --disable-pip-version-check install --quiet \
        --no-deps --no-build-isolation -e .
}

# What tests run in processes of their own, since it forbids what the others need (our typer, openai 3):
# each list is put into a folder where only its test looks.
install_apart() {
    local name
    [[ $kind == dev ]] || return 0
    for name in generators older_openai; do
        .venv/bin/python -m pip --disable-pip-version-check install --quiet --no-deps \
            --require-hashes --upgrade --target ".venv/$name" -r "tests/$name.txt"
    done
}

# ---- JavaScript -------------------------------------------------------------------------------

# Clients of other protocols that tests run against the service; by the hashes of package-lock.json.
install_javascript_packages() {
    [[ $kind == dev ]] && command -v npm >/dev/null || return 0
    npm ci --prefix tests/javascript --ignore-scripts --no-audit --no-fund --silent ||
        warn "npm could not install the packages of tests/javascript; their tests are skipped"
}

# ---- all together -----------------------------------------------------------------------------

fingerprint() {
    { .venv/bin/python --version; pwd; cat pyproject.toml requirements.lock \
        tests/{generators,older_openai}.txt tests/javascript/package-lock.json tools/{setup,install,compile_llama}.sh; } |
        sha256sum | cut -d' ' -f1
}

is_ready() {
    [[ -x .venv/bin/sovereign-rag && -f .venv/.ready-$1 && $(<".venv/.ready-$1") == "$(fingerprint)" ]]
}

for enough in "$kind" app dev; do # dev holds all of app, and app all of extracts
    [[ $kind == dev && $enough == app ]] || ! is_ready "$enough" || exit 0
done
python=$(find_python)
make_venv "$python"
asked_for=$(fingerprint) # before anything is installed: a file that changes meanwhile counts next time
install_system_packages .venv/bin/python
install_python_packages
install_apart
install_javascript_packages
echo "$asked_for" >".venv/.ready-$kind"
[[ $kind == extracts ]] || say "Ready: .venv/bin/sovereign-rag --help"
