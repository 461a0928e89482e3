"""The product over HTTP; `sovereign_rag.api.app.create_app(service)` serves API and page."""
