"""Where documents come from: a folder of files, or any LlamaIndex reader."""
