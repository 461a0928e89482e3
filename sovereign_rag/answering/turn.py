"""A question's turn at the cores, among everybody who asks and searches."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch


@contextmanager
def turn_at_the_cores(
    admission: Admission, request: AnswerRequest, clock: Stopwatch
) -> Iterator[None]:
    """Wait for a turn, on the clock as "wait", and hold it. Raises Busy, CallerLeft."""
    principal = request.principal
    with ExitStack() as stack:
        with clock("wait"):
            stack.enter_context(admission.turn(principal.tenant, principal.user, request.cancel))
        yield
