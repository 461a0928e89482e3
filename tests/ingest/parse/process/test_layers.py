"""What the parser does on a machine that gives it less protection."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SENTENCE = "The supplier delivers the goods within ten working days."

WITHOUT_LANDLOCK = """
import ctypes, json, struct, sys
from pathlib import Path

# A kernel without Landlock, made of this one: its first call is answered "no such call".
program = [
    (0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x00050026), (0x06, 0, 0, 0x7FFF0000)
]
code = b"".join(struct.pack("HBBI", *step) for step in program)
buffer = ctypes.create_string_buffer(code, len(code))
packed = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(buffer))
pointer = ctypes.create_string_buffer(packed, len(packed))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, pointer, 0, 0) == 0

import logging
import sovereign_rag
from ingest.parse.process.pool import ParserPool
from sovereign_rag.errors import ParserUnavailable
from sovereign_rag.settings import ParseSettings

told = []
handler = logging.Handler()
handler.emit = lambda record: told.append(record.getMessage())
logging.getLogger("ingest.parse.process.pool").addHandler(handler)

found = {}
for sandbox in ("required", "available"):
    with ParserPool(ParseSettings(workers=1, sandbox=sandbox)) as pool:
        found["missing"] = pool.protections().missing
        try:
            found[sandbox] = pool.parse(Path(sys.argv[1]), name="letter.txt").pages[0].text
            pool.parse(Path(sys.argv[1]), name="letter.txt")
        except ParserUnavailable as error:
            found[sandbox] = str(error)
print(json.dumps({**found, "told": told}))
"""


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text(SENTENCE)
    return path


def test_a_required_sandbox_refuses_where_a_layer_is_missing_and_an_available_one_says_so_once(
    letter: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_LANDLOCK, str(letter)],
        stdout=subprocess.PIPE,
        text=True,
        timeout=240,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PATH": os.defpath},
    )

    found = json.loads(done.stdout)
    assert found["missing"] == ["landlock"]
    assert "lacks landlock" in found["required"]
    assert found["available"] == SENTENCE
    assert ["gives the parser no landlock" in line for line in found["told"]] == [True]
