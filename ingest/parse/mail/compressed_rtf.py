"""RTF as Outlook compresses it.

Source: [MS-OXRTFCP].
"""

_RTF_START = (
    b"{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern "
    b"\\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0"
    b"\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)


def decompressed(data: bytes) -> bytes:
    """An RTF body as Outlook stores it, unpacked.

    Raises:
        ValueError: It is cut off or of an unknown kind.
    """
    size = int.from_bytes(data[4:8], "little")
    if data[8:12] == b"MELA":
        return data[16 : 16 + size]
    if data[8:12] != b"LZFu":
        raise ValueError("an RTF body of an unknown kind")
    window = bytearray(_RTF_START.ljust(4096, b"\0"))
    write = len(_RTF_START)
    out = bytearray()
    at = 16
    while at < len(data) and len(out) < size:
        flags = data[at]
        at += 1
        for bit in range(8):
            if at >= len(data):
                break
            if not flags >> bit & 1:
                out.append(data[at])
                window[write % 4096] = data[at]
                write, at = write + 1, at + 1
                continue
            pair = int.from_bytes(data[at : at + 2], "big")
            at += 2
            start, length = pair >> 4, (pair & 15) + 2
            if start == write % 4096:
                return bytes(out)
            for offset in range(length):
                byte = window[(start + offset) % 4096]
                out.append(byte)
                window[write % 4096] = byte
                write += 1
    return bytes(out)
