"""The API's documentation as a page of our own: the usual ones load their script from elsewhere."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.web.pages import Visitor
from sovereign_rag.web.rendering import page

router = APIRouter(include_in_schema=False)


@router.get("/docs")
def reference(request: Request, principal: Visitor) -> Response:
    schema = request.app.openapi()
    return page(
        request,
        "reference.html",
        principal=principal,
        operations=_operations(schema),
        schemas=schema["components"]["schemas"],
    )


def _operations(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "summary": operation.get("summary", ""),
            "description": operation.get("description", ""),
            "parameters": operation.get("parameters", []),
            "body": operation.get("requestBody", {}).get("content", {}),
            "responses": operation.get("responses", {}),
        }
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
