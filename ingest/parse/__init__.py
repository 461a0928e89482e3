"""Files become `ParsedDocument`s, in a locked-down process of their own.

worker.py     ParserPool: what the rest of the product sees
zygote.py     the process that has everything imported and forks a child per document
sandbox.py    what the child gives up before it touches the document
child.py      one document: detect, read, compose, write the result
readers.py    media type -> reader; every reader makes a `Draft` (draft.py)
"""
