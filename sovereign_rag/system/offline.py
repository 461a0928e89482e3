"""Zero egress, first half: libraries that call home are told not to, before they are imported.

`sovereign_rag/__init__.py` calls `switch_off` ahead of every other import of ours. The second
half is the tests' guard, which fails on any attempt to connect.
"""

import os

SWITCHES = {
    "DO_NOT_TRACK": "1",  # unstructured pings at import and once per document unless this stands
    "SCARF_NO_ANALYTICS": "1",
    "UNSTRUCTURED_DISABLE_NOTICE": "1",  # only the literal "1" counts
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",  # forks after use deadlock otherwise
    # llama.cpp's and torch's OpenMP threads spin at barriers; on shared cores that costs a
    # factor of thirty. An admin with idle cores of their own sets it to "active" themselves.
    "OMP_WAIT_POLICY": "passive",
}
ADMIN_MAY_CHANGE = {"OMP_WAIT_POLICY"}


def switch_off() -> None:
    """Set every switch in this process's environment; its children inherit them."""
    for name, value in SWITCHES.items():
        if name in ADMIN_MAY_CHANGE:
            os.environ.setdefault(name, value)
        else:
            os.environ[name] = value


def lift_for_the_hub() -> None:
    """Let the hub's client library reach out from here on, in this process alone.

    For the one command that goes out because an admin says so; it calls this in a process of its
    own, before the library is imported.
    """
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ.pop(name, None)
    os.environ["HF_HUB_DISABLE_XET"] = "1"  # one way for bytes: HTTP, from the address named


def for_child() -> dict[str, str]:
    """The switches as they stand here, for a child process with an environment of its own."""
    return {name: os.environ[name] for name in SWITCHES if name in os.environ}
