"""The local language model: `protocol` says what is asked, `llama_cpp` does it."""
