"""Servers of your own network that weigh passages again."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from sovereign_rag.settings.section import Section


class RerankerEndpointSettings(Section):
    """Servers of your own network that put the best passages into a cross-encoder's order."""

    urls: tuple[str, ...] = Field(
        (),
        description="Addresses, e.g. http://10.0.0.7:8080 or http://10.0.0.7:8000/v1; `/rerank` below them is asked, with several they take turns. Empty: `retrieval.reranker` weighs here, or nothing does.",
    )
    allow: tuple[str, ...] = Field(
        (),
        description="The only addresses that are contacted: networks (10.0.0.0/24), addresses, or names. A name admits the private addresses that it stands for.",
    )
    form: Literal["tei", "cohere"] = Field(
        "tei",
        description="tei: text-embeddings-inference's own; cohere: that of Cohere and Jina, which vLLM's and llama.cpp's servers speak.",
    )
    model: str = Field("", description="The model's name, as the server knows it (cohere).")
    api_key: SecretStr | None = Field(None, description="Sent as Bearer token.")
    api_key_file: Path | None = Field(
        None, description="File that holds the key; read when the service starts."
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority that signed the server's; unset: those that the machine trusts.",
    )
    batch_size: PositiveInt = Field(32, description="Most passages in a request.")
    timeout_s: PositiveFloat = Field(
        2.0,
        description="Longest wait for the weights of a question's passages, over all servers; then the passages keep the order of the search.",
    )
    breaker_pause_s: PositiveFloat = Field(
        10.0, description="For how long a server that failed is passed over."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.urls and not self.allow:
            raise ValueError(
                "retrieval.reranker_endpoint.urls needs retrieval.reranker_endpoint.allow: the "
                "networks or names that may be contacted; without any, none may"
            )
        if self.urls and self.form == "cohere" and not self.model:
            raise ValueError(
                "retrieval.reranker_endpoint.urls needs retrieval.reranker_endpoint.model"
            )
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("set retrieval.reranker_endpoint.api_key or api_key_file, not both")
        return self
