#!/usr/bin/env bash
# Compiles and installs llama.cpp, the engine of the language model, for a Python, and tells on
# standard error how far it is: tools/compile_llama.sh PYTHON
#
#   CMAKE_ARGS=...    passed on. By default it is compiled for this very CPU; "-DGGML_NATIVE=OFF"
#                     makes one that runs on others too.
#   WHEELS=FOLDER     put the wheel into that folder instead
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$1
put=(install)
[[ -z ${WHEELS:-} ]] || put=(wheel --wheel-dir "$WHEELS")
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# The compiler's "[34/120] ..." becomes, every half minute, how many steps are done and how long the
# rest takes if it goes on like that.
tell_progress() {
    local line begun='' next=0 passed steps all
    while IFS= read -r line; do
        printf '%s\n' "$line" >>"$log"
        [[ $line =~ \[([0-9]+)/([0-9]+)\] ]] || continue
        steps=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
        begun=${begun:-$SECONDS}
        passed=$((SECONDS - begun))
        ((passed >= next)) || continue
        next=$((passed + 30))
        if ((passed == 0)); then
            echo "Compiling llama.cpp in $all steps: some 4 minutes on two cores that do nothing else" >&2
        else
            echo "Compiling llama.cpp: $steps of $all steps, some" \
                "$(((passed * (all - steps) / steps + 59) / 60)) min to go" >&2
        fi
    done
}

# Nothing but the library itself, in parallel: no reading of images, nothing for programs.
export PIP_REQUIRE_HASHES=1 # in the environment, so that it holds for what is built too
export CMAKE_ARGS="-DLLAVA_BUILD=OFF '-DCMAKE_PROJECT_llama_cpp_INCLUDE=$PWD/tools/only_llama.cmake' \
${CMAKE_ARGS:-}"
if ! "$python" -m pip --disable-pip-version-check "${put[@]}" --verbose \
    -c requirements.lock --build-constraint requirements.lock llama-cpp-python 2>&1 |
    tell_progress; then
    tail -n 30 "$log" >&2
    exit 1
fi
