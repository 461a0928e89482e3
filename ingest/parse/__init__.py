"""Files become `ParsedDocument`s, in a locked-down process of their own.

process/    pool.py is what the rest of the product sees; fork_server.py has everything imported
            and forks a child per document; sandbox.py is what the child gives up first
reading.py  a file of whatever format as a draft; readers.py: media type -> reader
render.py   a page as a picture
document/   what every reader makes (blocks.py) and what is made of it (compose.py)
mail/  markup/  pdf/  ocr/  office/  the readers
"""
