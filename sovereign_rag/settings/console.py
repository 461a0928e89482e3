"""What admins may do on the console's pages beyond what everybody's rights say."""

from pydantic import Field

from sovereign_rag.settings.section import Section


class ConsoleSettings(Section):
    """The console's pages, at /admin."""

    source_folders: tuple[str, ...] = Field(
        (),
        description="Folders of this machine below which admins may add sources on the console; {tenant} stands for the admin's tenant, and a folder without it is for the tenant default. Empty: none.",
    )
