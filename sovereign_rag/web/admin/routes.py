"""Every page of the console, below /admin."""

from fastapi import APIRouter

from sovereign_rag.web.admin import (
    audit,
    curated,
    documents,
    edits,
    indexes,
    jobs,
    keys,
    models,
    overview,
    people,
    quality,
    roles,
    settings,
    sources,
    upload,
    usage,
    webhooks,
    words,
)

router = APIRouter(include_in_schema=False)
for module in (
    overview,
    documents,
    edits,
    upload,
    curated,
    words,
    jobs,
    sources,
    people,
    roles,
    keys,
    quality,
    usage,
    webhooks,
    audit,
    models,
    indexes,
    settings,
):
    router.include_router(module.router)
