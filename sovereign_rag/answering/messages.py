"""What the product itself says to an asker, in their language."""

from typing import Final

_TEXTS: Final[dict[str, dict[str, str]]] = {
    "not_found": {
        "en": "I found nothing in the documents you may read that answers this.",
        "fr": "Je n'ai rien trouvé qui réponde à cette question dans les documents que vous pouvez lire.",
        "de": "In den Dokumenten, die Sie lesen dürfen, habe ich nichts gefunden, was diese Frage beantwortet.",
        "es": "No he encontrado nada que responda a esta pregunta en los documentos que usted puede leer.",
        "it": "Nei documenti che può leggere non ho trovato nulla che risponda a questa domanda.",
    },
    "extracts_untrusted_by_prior": {
        "en": "These are the best matching passages, word for word. No language model that can be trusted with answers is installed ({model} is too small).",
        "fr": "Voici les passages les plus pertinents, mot pour mot. Aucun modèle de langue assez fiable pour rédiger n'est installé ({model} est trop petit).",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut. Ein Sprachmodell, dem man Antworten anvertrauen kann, ist nicht installiert ({model} ist zu klein).",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra. No hay instalado ningún modelo de lenguaje fiable para redactar ({model} es demasiado pequeño).",
        "it": "Questi sono i passaggi più pertinenti, parola per parola. Non è installato un modello linguistico affidabile per redigere ({model} è troppo piccolo).",
    },
    "extracts_untrusted_by_exam": {
        "en": "These are the best matching passages, word for word: of the {questions} questions of its exam, {model} answered {right} right, the passages themselves {extracts}.",
        "fr": "Voici les passages les plus pertinents, mot pour mot : sur les {questions} questions de son examen, {model} a répondu juste à {right}, les passages eux-mêmes à {extracts}.",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut: Von den {questions} Fragen seiner Prüfung hat {model} {right} richtig beantwortet, die Stellen selbst {extracts}.",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra: de las {questions} preguntas de su examen, {model} respondió bien a {right}, los propios pasajes a {extracts}.",
        "it": "Questi sono i passaggi più pertinenti, parola per parola: delle {questions} domande del suo esame, {model} ha risposto bene a {right}, i passaggi stessi a {extracts}.",
    },
    "extracts_no_model": {
        "en": "These are the best matching passages, word for word. No language model is installed.",
        "fr": "Voici les passages les plus pertinents, mot pour mot. Aucun modèle de langue n'est installé.",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut. Ein Sprachmodell ist nicht installiert.",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra. No hay ningún modelo de lenguaje instalado.",
        "it": "Questi sono i passaggi più pertinenti, parola per parola. Nessun modello linguistico è installato.",
    },
    "extracts_by_choice": {
        "en": "These are the best matching passages, word for word; no model wrote this.",
        "fr": "Voici les passages les plus pertinents, mot pour mot ; aucun modèle n'a rédigé.",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut; kein Modell hat geschrieben.",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra; ningún modelo ha redactado.",
        "it": "Questi sono i passaggi più pertinenti, parola per parola; nessun modello ha scritto.",
    },
    "extracts_no_support": {
        "en": "These are the best matching passages, word for word: nothing that {model} wrote from them stands in them.",
        "fr": "Voici les passages les plus pertinents, mot pour mot : rien de ce que {model} en a tiré n'y figure.",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut: nichts von dem, was {model} daraus schrieb, steht darin.",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra: nada de lo que {model} redactó a partir de ellos figura en ellos.",
        "it": "Questi sono i passaggi più pertinenti, parola per parola: nulla di ciò che {model} ne ha tratto vi figura.",
    },
    "extracts_model_failed": {
        "en": "These are the best matching passages, word for word: the language model ({model}) did not answer just now.",
        "fr": "Voici les passages les plus pertinents, mot pour mot : le modèle de langue ({model}) n'a pas répondu cette fois.",
        "de": "Dies sind die am besten passenden Stellen im Wortlaut: Das Sprachmodell ({model}) hat diesmal nicht geantwortet.",
        "es": "Estos son los pasajes más pertinentes, palabra por palabra: el modelo de lenguaje ({model}) no ha respondido esta vez.",
        "it": "Questi sono i passaggi più pertinenti, parola per parola: il modello linguistico ({model}) questa volta non ha risposto.",
    },
    "turns_dropped": {
        "en": "The conversation is too long to be taken in whole. Left aside, the oldest first: {count} question(s).",
        "fr": "La conversation est trop longue pour être prise en compte en entier. Laissées de côté, les plus anciennes : {count} question(s).",
        "de": "Das Gespräch ist zu lang, um ganz berücksichtigt zu werden. Außer Acht blieben, die ältesten zuerst: {count} Frage(n).",
        "es": "La conversación es demasiado larga para tenerla en cuenta entera. Se han dejado de lado, las más antiguas: {count} pregunta(s).",
        "it": "La conversazione è troppo lunga per essere considerata intera. Tralasciate, le più vecchie: {count} domanda/e.",
    },
    "withheld": {
        "en": "Withheld, for the documents do not support it: {count} of {all} statements.",
        "fr": "Non affiché, faute d'appui dans les documents : {count} affirmation(s) sur {all}.",
        "de": "Zurückgehalten, weil in den Dokumenten nicht belegt: {count} von {all} Aussagen.",
        "es": "Retenido por falta de apoyo en los documentos: {count} de {all} afirmaciones.",
        "it": "Trattenuto perché i documenti non lo sostengono: {count} affermazioni su {all}.",
    },
    "generated_trusted_by_prior": {
        "en": "Written by {model} from the passages; each statement was checked against them.",
        "fr": "Rédigé par {model} à partir des passages ; chaque affirmation a été vérifiée.",
        "de": "Von {model} aus den Textstellen verfasst; jede Aussage wurde daran geprüft.",
        "es": "Redactado por {model} a partir de los pasajes; cada afirmación se ha comprobado.",
        "it": "Scritto da {model} a partire dai passaggi; ogni affermazione è stata verificata.",
    },
    "generated_untrusted_by_prior": {
        "en": "Written by {model}, a model too small to be trusted with answers. Rely on the quotes alone.",
        "fr": "Rédigé par {model}, un modèle trop petit pour être fiable. Ne vous fiez qu'aux citations.",
        "de": "Von {model} verfasst, einem Modell, das für verlässliche Antworten zu klein ist. Verlassen Sie sich nur auf die Zitate.",
        "es": "Redactado por {model}, un modelo demasiado pequeño para ser fiable. Fíese solo de las citas.",
        "it": "Scritto da {model}, un modello troppo piccolo per essere affidabile. Si fidi solo delle citazioni.",
    },
    "generated_trusted_by_exam": {
        "en": "Written by {model} from the passages; each statement was checked against them. Of the {questions} questions of its exam it answered {right} right, the passages themselves {extracts}.",
        "fr": "Rédigé par {model} à partir des passages ; chaque affirmation a été vérifiée. Sur les {questions} questions de son examen, il a répondu juste à {right}, les passages eux-mêmes à {extracts}.",
        "de": "Von {model} aus den Textstellen verfasst; jede Aussage wurde daran geprüft. Von den {questions} Fragen seiner Prüfung hat es {right} richtig beantwortet, die Stellen selbst {extracts}.",
        "es": "Redactado por {model} a partir de los pasajes; cada afirmación se ha comprobado. De las {questions} preguntas de su examen respondió bien a {right}, los propios pasajes a {extracts}.",
        "it": "Scritto da {model} a partire dai passaggi; ogni affermazione è stata verificata. Delle {questions} domande del suo esame ha risposto bene a {right}, i passaggi stessi a {extracts}.",
    },
    "generated_untrusted_by_exam": {
        "en": "Written by {model}. Of the {questions} questions of its exam it answered {right} right, the passages themselves {extracts}: rely on the quotes alone.",
        "fr": "Rédigé par {model}. Sur les {questions} questions de son examen, il a répondu juste à {right}, les passages eux-mêmes à {extracts} : ne vous fiez qu'aux citations.",
        "de": "Von {model} verfasst. Von den {questions} Fragen seiner Prüfung hat es {right} richtig beantwortet, die Stellen selbst {extracts}: Verlassen Sie sich nur auf die Zitate.",
        "es": "Redactado por {model}. De las {questions} preguntas de su examen respondió bien a {right}, los propios pasajes a {extracts}: fíese solo de las citas.",
        "it": "Scritto da {model}. Delle {questions} domande del suo esame ha risposto bene a {right}, i passaggi stessi a {extracts}: si fidi solo delle citazioni.",
    },
}


def message(key: str, language: str, **values: str) -> str:
    """The text for `key` in `language` (English where we don't speak it), with values put in."""
    texts = _TEXTS[key]
    return texts.get(language, texts["en"]).format(**values)
