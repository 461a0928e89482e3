"""When Python looks for objects that hold each other in a circle."""

import gc

_OBJECTS = 50_000  # made before the newest are looked through; 700 by default


def collect_seldom() -> None:
    """Look seldom: importing what an answer needs makes a million objects that all stay.

    That is a fifth of the CPU time of a command, and some ten megabytes more at the most.
    """
    gc.set_threshold(_OBJECTS, 20, 20)
