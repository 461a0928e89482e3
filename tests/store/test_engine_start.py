"""What the engine's process loads before it can be joined."""

import json
import subprocess
import sys

ENGINE = """
import json, sys
from sovereign_rag.store.embedded.models_alone import leave_out_the_client
leave_out_the_client()
import sovereign_rag.store.embedded.process
from qdrant_client.http import models
query = models.QueryRequest.model_validate_json(sys.argv[1])
loaded = [name for name in ("grpc", "httpx", "qdrant_client.qdrant_client") if name in sys.modules]
print(json.dumps([loaded, query.model_dump(exclude_none=True)]))
"""


def test_the_engine_starts_without_the_client_and_reads_what_a_client_sends() -> None:
    sent = {"filter": {"must": [{"key": "tenant", "match": {"value": "acme"}}]}, "limit": 3}

    told = subprocess.check_output([sys.executable, "-c", ENGINE, json.dumps(sent)])

    assert json.loads(told) == [[], sent]
