"""What the console's pages call: a desk for each of its parts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from sovereign_rag.answering.curated import QuoteFinder
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.services.audit_desk import AuditDesk
from sovereign_rag.services.curated_desk import CuratedDesk
from sovereign_rag.services.document_desk import DocumentDesk
from sovereign_rag.services.documents import DocumentService
from sovereign_rag.services.editing import DocumentEditor
from sovereign_rag.services.import_folders import ImportFolders
from sovereign_rag.services.index_desk import IndexDesk
from sovereign_rag.services.maintenance import MaintenanceDesk
from sovereign_rag.services.model_desk import ModelDesk
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.overview import OverviewDesk
from sovereign_rag.services.people import PeopleDesk
from sovereign_rag.services.quality import QualityDesk
from sovereign_rag.services.remote_sources import RemoteSources
from sovereign_rag.services.running_settings import RunningSettings
from sovereign_rag.services.settings_desk import SettingsDesk
from sovereign_rag.services.source_desk import SourceDesk, SourcePreviewer
from sovereign_rag.services.webhooks import WebhookDesk
from sovereign_rag.services.words import WordsDesk
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.curated_answers import CuratedAnswers


@dataclass(frozen=True, slots=True)
class Console:
    """The desks, each of which puts on the record what it shows and does."""

    overview: OverviewDesk
    audit: AuditDesk
    settings: SettingsDesk
    sources: SourceDesk
    people: PeopleDesk
    quality: QualityDesk
    models: ModelDesk
    indexes: IndexDesk
    words: WordsDesk
    webhooks: WebhookDesk
    curated: CuratedDesk
    documents: DocumentDesk

    @classmethod
    def over(
        cls,
        *,
        settings: Settings,
        running: RunningSettings,
        follow: Callable[[], object],
        catalog: Catalog,
        audit: AuditLog,
        readiness: Callable[[], Mapping[str, str]],
        language_model: Callable[[], LanguageModel | None],
        examiner: Callable[[], Examiner],
        operations: OperationRecorder,
        documents: DocumentService,
        editor: DocumentEditor,
        previewer: Callable[[], SourcePreviewer],
        remote: RemoteSources,
        curated: CuratedAnswers,
        quotes: Callable[[], QuoteFinder],
        differences: Callable[[], Mapping[str, tuple[object, object]]],
    ) -> Self:
        """The desks over one data folder; what loads a model is called when it is first needed."""
        desk = CuratedDesk(
            catalog=catalog, answers=curated, audit=audit, operations=operations, quotes=quotes
        )
        work = MaintenanceDesk(catalog=catalog, audit=audit)
        folders = ImportFolders(settings.console.import_folders)
        return cls(
            overview=OverviewDesk(
                settings=settings,
                catalog=catalog,
                audit=audit,
                readiness=readiness,
                language_model=language_model,
                examiner=examiner,
                curated=desk,
            ),
            audit=AuditDesk(catalog=catalog, audit=audit),
            settings=SettingsDesk(
                running=running,
                values=catalog.setting_values,
                audit=audit,
                operations=operations,
                follow=follow,
            ),
            sources=SourceDesk(
                settings=settings,
                catalog=catalog,
                audit=audit,
                operations=operations,
                previewer=previewer,
                remote=remote,
            ),
            people=PeopleDesk(catalog=catalog, audit=audit),
            quality=QualityDesk(catalog=catalog, audit=audit),
            curated=desk,
            words=WordsDesk(catalog=catalog, audit=audit, operations=operations),
            webhooks=WebhookDesk(settings.webhooks, catalog=catalog, audit=audit),
            models=ModelDesk(
                running=running,
                values=catalog.setting_values,
                audit=audit,
                operations=operations,
                work=work,
                folders=folders,
                follow=follow,
            ),
            indexes=IndexDesk(
                catalog=catalog, audit=audit, work=work, folders=folders, differences=differences
            ),
            documents=DocumentDesk(documents, editor),
        )
