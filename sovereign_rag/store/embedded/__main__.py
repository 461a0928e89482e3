"""`python -m sovereign_rag.store.embedded DATA_DIR`: start the engine of a data folder.

Ends when the engine can be joined (0) or has failed (1); the engine itself goes on in a session
of its own, with standard error as its log, and ends by itself after its last client.
"""

import os
import sys
from pathlib import Path

_READY = b"ready"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m sovereign_rag.store.embedded DATA_DIR", file=sys.stderr)
        return 2
    hear, tell = os.pipe()
    if os.fork():  # before anything heavy is imported or any thread is started
        os.close(tell)
        with os.fdopen(hear, "rb") as pipe:
            return 0 if pipe.read() == _READY else 1
    os.close(hear)
    os.setsid()
    return run_engine(Path(arguments[0]), tell)


def run_engine(data_dir: Path, tell: int) -> int:
    """Be the engine, which writes to `tell` when it can be joined; returns the exit status."""
    from sovereign_rag.errors import StoreError
    from sovereign_rag.system.garbage import collect_seldom

    collect_seldom()
    from sovereign_rag.store.embedded.models_alone import leave_out_the_client

    leave_out_the_client()
    from sovereign_rag.store.embedded.process import run

    def ready() -> None:
        os.write(tell, _READY)
        os.close(tell)

    try:
        run(data_dir, ready)
    except StoreError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
