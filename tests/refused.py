"""What a refusal says, but for the request's own id, which differs each time."""

import httpx


def told(response: httpx.Response) -> str:
    return response.text.replace(response.headers["x-request-id"], "")
