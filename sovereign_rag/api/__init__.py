"""The product over HTTP; `sovereign_rag.app.create_app(service)` serves API and page."""
