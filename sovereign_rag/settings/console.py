"""What admins may do on the console's pages beyond what everybody's rights say."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from sovereign_rag.settings.section import Section


class ConsoleSettings(Section):
    """The console's pages, at /admin."""

    source_folders: tuple[str, ...] = Field(
        (),
        description="Folders of this machine below which admins may add sources on the console; {tenant} stands for the admin's tenant, and a folder without it is for the tenant default. Empty: none.",
    )
    source_addresses: tuple[
        Annotated[str, Field(pattern=r"^(https?|imaps?)://[^/@\s*?#]+$")], ...
    ] = Field(
        (),
        description="Addresses at which admins of the tenant default may add sources on the console: https://storage.example.org of an object storage, imaps://mail.example.org of a mail server, or imap:// for STARTTLS. Empty: none.",
    )
    import_folders: tuple[Path, ...] = Field(
        (),
        description="Folders of this machine from which admins may import language models (*.gguf) on the console, and take question sets (*.xlsx, *.csv, *.jsonl) on which indexes are compared. Empty: none.",
    )
