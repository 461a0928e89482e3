"""Converts one file by LibreOffice, in a process of its own: FOLDER PROFILE SOURCE TARGET FILTER.

It is called as a library (LibreOfficeKit): as a program it opens a socket in `/tmp`, and a parsing
process may have none. The library's own way to open a file also builds a window for it, which
fails on installations without a desktop (comments, page breaks: their controls are not installed
there). So the file is opened hidden, by a macro of ours in the profile; its own macros never run.
Uses the standard library alone, because a bare interpreter runs it.

Source: include/LibreOfficeKit/LibreOfficeKit.h and LibreOfficeKitInit.h, whose tables of functions
only ever grow at their ends; scripting of com.sun.star.frame.XComponentLoader and XStorable.
"""

import ctypes
import os
import sys
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path
from xml.sax.saxutils import escape

_LIBRARIES = ("libsofficeapp.so", "libmergedlo.so")
"""Which of them holds the entry depends on how LibreOffice was built."""

DONE, CANT_CONVERT, NO_LIBRARY = 0, 1, 2
"""What the process ends with."""

_MACRO = """\
Sub Convert
  Dim how(2) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden"
  how(0).Value = True
  how(1).Name = "ReadOnly"
  how(1).Value = True
  how(2).Name = "MacroExecutionMode"
  how(2).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
  opened = StarDesktop.loadComponentFromURL("{source}", "_blank", 0, how())
  Dim form(0) As New com.sun.star.beans.PropertyValue
  form(0).Name = "FilterName"
  form(0).Value = "{filter}"
  opened.storeToURL("{target}", form())
End Sub
"""
_MODULE = """\
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1"
 script:language="StarBasic">{}</script:module>
"""


class _OfficeTable(ctypes.Structure):
    _fields_ = (
        ("size", c_size_t),
        ("unused", c_void_p * 10),
        ("run_macro", CFUNCTYPE(c_int, c_void_p, c_char_p)),
    )


class _Office(ctypes.Structure):
    _fields_ = (("table", POINTER(_OfficeTable)),)


def main(folder: str, profile: str, source: str, target: str, filter_name: str) -> int:
    """Convert; returns the exit status."""
    found = [path for name in _LIBRARIES if (path := Path(folder, name)).exists()]
    if not found:
        return NO_LIBRARY
    start = ctypes.CDLL(str(found[0])).libreofficekit_hook_2
    start.restype, start.argtypes = POINTER(_Office), (c_char_p, c_char_p)
    office = start(os.fsencode(folder), Path(profile).as_uri().encode())
    if not office or office[0].table[0].size < ctypes.sizeof(_OfficeTable):
        return NO_LIBRARY
    _write_macro(Path(profile), Path(source), Path(target), filter_name)  # the start lays a profile
    office[0].table[0].run_macro(office, b"macro:///Standard.Module1.Convert")
    return DONE if Path(target).exists() else CANT_CONVERT


def _write_macro(profile: Path, source: Path, target: Path, filter_name: str) -> None:
    """Put the macro that converts these files in the place of the one that each user has."""
    module = profile / "user" / "basic" / "Standard" / "Module1.xba"
    module.parent.mkdir(parents=True, exist_ok=True)
    macro = _MACRO.format(source=source.as_uri(), target=target.as_uri(), filter=filter_name)
    module.write_text(_MODULE.format(escape(macro)), "utf-8")


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # without the suite's own way out, which takes seconds
