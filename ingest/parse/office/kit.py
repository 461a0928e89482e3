"""Converts one file by LibreOffice, in a process of its own.

Its arguments: FOLDER PROFILE SOURCE TARGET FILTER WAY.

It is called as a library (LibreOfficeKit): as a program it opens a socket in `/tmp`, and a parsing
process may have none. The library's own way to open a file also builds a window for it, which
fails on installations without a desktop (comments, page breaks: their controls are not installed
there). So the file is opened hidden, by a macro of ours in the profile; its own macros never run.
Even hidden, a window of comments is built a moment later, and the process aborts: mostly after the
file was written, on a busy machine before. The second way opens the file without any view, which
needs no window and keeps no embedded object.
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

SHOWN, ALONE = "shown", "alone"
"""Ways to open a file: in a hidden window, or without one."""

_SHOWN = """\
Sub Convert
  Dim how(2) As New com.sun.star.beans.PropertyValue
  how(0).Name = "Hidden"
  how(0).Value = True
  how(1).Name = "ReadOnly"
  how(1).Value = True
  how(2).Name = "MacroExecutionMode"
  how(2).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
  opened = StarDesktop.loadComponentFromURL("{source}", "_blank", 0, how())
"""
_ALONE = """\
Sub Convert
  Dim how(1) As New com.sun.star.beans.PropertyValue
  how(0).Name = "URL"
  how(0).Value = "{source}"
  how(1).Name = "MacroExecutionMode"
  how(1).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
  detection = createUnoService("com.sun.star.document.TypeDetection")
  kindName = detection.queryTypeByDescriptor(how(), True)
  filterName = FieldOf(detection.getByName(kindName), "PreferredFilter")
  filters = createUnoService("com.sun.star.document.FilterFactory")
  opened = createUnoService(FieldOf(filters.getByName(filterName), "DocumentService"))
  Dim given(2) As New com.sun.star.beans.PropertyValue
  given(0).Name = "URL"
  given(0).Value = "{source}"
  given(1).Name = "MacroExecutionMode"
  given(1).Value = com.sun.star.document.MacroExecMode.NEVER_EXECUTE
  given(2).Name = "FilterName"
  given(2).Value = filterName
  opened.load(given())
"""
_STORE = """\
  Dim form(0) As New com.sun.star.beans.PropertyValue
  form(0).Name = "FilterName"
  form(0).Value = "{filter}"
  opened.storeToURL("{target}", form())
End Sub

Function FieldOf(fields, fieldName)
  Dim i As Integer
  For i = LBound(fields) To UBound(fields)
    If fields(i).Name = fieldName Then
      FieldOf = fields(i).Value
      Exit Function
    End If
  Next i
End Function
"""
_OPENING = {SHOWN: _SHOWN, ALONE: _ALONE}
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


def main(folder: str, profile: str, source: str, target: str, filter_name: str, way: str) -> int:
    """Convert; returns the exit status."""
    found = [path for name in _LIBRARIES if (path := Path(folder, name)).exists()]
    if not found:
        return NO_LIBRARY
    start = ctypes.CDLL(str(found[0])).libreofficekit_hook_2
    start.restype, start.argtypes = POINTER(_Office), (c_char_p, c_char_p)
    office = start(os.fsencode(folder), Path(profile).as_uri().encode())
    if not office or office[0].table[0].size < ctypes.sizeof(_OfficeTable):
        return NO_LIBRARY
    macro = (_OPENING[way] + _STORE).format(
        source=Path(source).as_uri(), target=Path(target).as_uri(), filter=filter_name
    )
    _write_macro(Path(profile), macro)  # the start lays a profile
    office[0].table[0].run_macro(office, b"macro:///Standard.Module1.Convert")
    return DONE if Path(target).exists() else CANT_CONVERT


def _write_macro(profile: Path, macro: str) -> None:
    """Put the macro in the place of the one that each user has."""
    module = profile / "user" / "basic" / "Standard" / "Module1.xba"
    module.parent.mkdir(parents=True, exist_ok=True)
    module.write_text(_MODULE.format(escape(macro)), "utf-8")


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))  # without the suite's own way out, which takes seconds
