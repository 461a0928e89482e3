"""Converts one file by LibreOffice, in a process of its own: FOLDER PROFILE SOURCE TARGET FORMAT.

It is called as a library (LibreOfficeKit): as a program it opens a socket in `/tmp`, and a parsing
process may have none. Uses the standard library alone, because a bare interpreter runs it.

Source: include/LibreOfficeKit/LibreOfficeKit.h and LibreOfficeKitInit.h, whose tables of functions
only ever grow at their ends.
"""

import ctypes
import os
import sys
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path

_LIBRARIES = ("libsofficeapp.so", "libmergedlo.so")
"""Which of them holds the entry depends on how LibreOffice was built."""

DONE, CANT_CONVERT, NO_LIBRARY = 0, 1, 2
"""What the process ends with."""


class _DocumentTable(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("destroy", CFUNCTYPE(None, c_void_p)),
        ("save_as", CFUNCTYPE(c_int, c_void_p, c_char_p, c_char_p, c_char_p)),
    )


class _Document(ctypes.Structure):
    _fields_ = (("table", POINTER(_DocumentTable)),)


class _OfficeTable(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("destroy", CFUNCTYPE(None, c_void_p)),
        ("load", CFUNCTYPE(POINTER(_Document), c_void_p, c_char_p)),
    )


class _Office(ctypes.Structure):
    _fields_ = (("table", POINTER(_OfficeTable)),)


def main(folder: str, profile: str, source: str, target: str, form: str) -> int:
    """Convert; returns the exit status."""
    found = [path for name in _LIBRARIES if (path := Path(folder, name)).exists()]
    if not found:
        return NO_LIBRARY
    start = ctypes.CDLL(str(found[0])).libreofficekit_hook_2
    start.restype, start.argtypes = POINTER(_Office), (c_char_p, c_char_p)
    office = start(os.fsencode(folder), Path(profile).as_uri().encode())
    if not office:
        return NO_LIBRARY
    document = office[0].table[0].load(office, Path(source).as_uri().encode())
    if not document:
        return CANT_CONVERT
    saved = (
        document[0].table[0].save_as(document, Path(target).as_uri().encode(), form.encode(), None)
    )
    return DONE if saved else CANT_CONVERT


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # without the suite's own way out, which takes seconds
