"""The demo: the real command line over `examples/documents`, and then the page.

`make demo` runs it. Every step prints the command that it runs, so that each can be tried alone.
"""

import argparse
import socket
import subprocess
import sys
import time
import tomllib
import webbrowser
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = Path(sys.executable).with_name("sovereign-rag")
SERVER_STARTS_WITHIN_S = 120.0
SOME_DOCUMENTS_FAILED = 6  # the command line's exit code for it

SMALL_MODEL = """\
The next answer is written by SmolLM2-135M, a language model so small that a Python package brings
it along. It shows that writing works on this machine, without any other. It is too weak to be
trusted: with the right passage before it, it gets one easy question in ten right. Don't rely on it.
"""

WHICH_IS_WHICH = """\
The three answers in part 2 were put together from sentences of the documents, word for word, by no
language model. The one in part 3 was written by the small model. To have answers written by a
capable model, name its file:  make demo MODEL=/path/to/Mistral-7B-Instruct-v0.3.Q4_K_M.gguf
"""

OWN_MODEL = """\
Answers are written by {model} if it is trusted with them (by its exam, `sovereign-rag models exam`;
until then by its size), else put together from sentences of the documents; under each answer stands
which of the two it is.
"""


def main() -> int:
    options = read_arguments()
    settings = {
        "SOVEREIGN_RAG_DATA_DIR": str(options.data_dir.resolve()),
        "SOVEREIGN_RAG_MODELS_DIR": str(options.data_dir.resolve() / "models"),
    }
    if options.model is not None:
        if not options.model.is_file():
            print(f"There is no model file {options.model}.", file=sys.stderr)
            return 2
        settings["SOVEREIGN_RAG_GENERATION__MODEL"] = str(options.model.resolve())
    questions = tomllib.loads((ROOT / "examples" / "questions.toml").read_text(encoding="utf-8"))[
        "question"
    ]
    asked = [q["text"] for q in questions if q.get("answerable", True)]

    if options.model is not None and not language_model_installed():
        return 1

    title("1. Documents in")
    status = run(["ingest", "examples/documents", "--readers", "everyone"], settings)
    if status == SOME_DOCUMENTS_FAILED:
        print("\nNot every document was taken in, see above. Going on with the others.")
    elif status != 0:
        return status

    title("2. Three questions, three answers with their sources")
    if options.model is not None:
        print("\n" + OWN_MODEL.format(model=options.model.name))
    for question in asked:
        status = run(["ask", question], settings)
        if status != 0:
            return status

    if options.model is None:
        title("3. The same path with a small language model")
        if not language_model_installed():
            return 1
        print("\n" + SMALL_MODEL, end="", flush=True)
        status = run(["ask", asked[-1]], settings | {"SOVEREIGN_RAG_ANSWER__KIND": "generated"})
        if status != 0:
            return status
        print()
        print(WHICH_IS_WHICH)

    return serve(options, settings) if options.serve else 0


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Show Sovereign RAG on the example documents.")
    parser.add_argument("--data-dir", type=Path, default=ROOT / ".demo")
    parser.add_argument("--model", type=Path, help="a GGUF file that writes the answers")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--no-serve", dest="serve", action="store_false")
    parser.add_argument("--open-browser", action="store_true")
    return parser.parse_args()


def language_model_installed() -> bool:
    """Install what runs a language model, where it isn't yet; no answer before needed it."""
    return subprocess.run([ROOT / "tools" / "setup.sh", "app"], check=False).returncode == 0


def title(text: str) -> None:
    print(f"\n== {text} ==", flush=True)


def command(arguments: Sequence[str], settings: dict[str, str]) -> list[str]:
    """The arguments as a command of its own, with settings beside this environment's."""
    # `env` adds to the environment without this script having to read it.
    return ["env", *(f"{k}={v}" for k, v in settings.items()), str(COMMAND), *arguments]


def run(arguments: Sequence[str], settings: dict[str, str]) -> int:
    show(arguments)
    return subprocess.run(command(arguments, settings), cwd=ROOT, check=False).returncode


def show(arguments: Sequence[str]) -> None:
    words = [f'"{word}"' if " " in word else word for word in arguments]
    print(f"\n$ sovereign-rag {' '.join(words)}", flush=True)


def serve(options: argparse.Namespace, settings: dict[str, str]) -> int:
    title("The page")
    address = f"http://127.0.0.1:{options.port}"
    arguments = ["serve", "--host", "127.0.0.1", "--port", str(options.port), "--allow-anonymous"]
    show(arguments)
    with subprocess.Popen(command(arguments, settings), cwd=ROOT) as server:
        try:
            if answers(options.port, server):
                print(f"\nOpen {address}  (end with Ctrl-C)", flush=True)
                if options.open_browser:
                    webbrowser.open(address)
            return server.wait()
        except KeyboardInterrupt:
            # The server got the same signal from the terminal: let it end its work.
            server.wait()
            return 0


def answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Wait for the server to listen; False if it ended or took too long."""
    deadline = time.monotonic() + SERVER_STARTS_WITHIN_S
    while server.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.5)
        else:
            return True
    return False


if __name__ == "__main__":
    sys.exit(main())
