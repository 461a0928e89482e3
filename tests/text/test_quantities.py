"""Two notations of one value are one; two values are two, however alike they are written."""

import pytest

from sovereign_rag.text.quantities import values


def says(text: str, said: str, language: str = "en", *, in_language: str | None = None) -> bool:
    """Whether `text` holds all values that `said` names."""
    return not values(text, in_language or language).lacking(values(said, language))


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("en", "Growth was 68.9%.", "68,9 percent"),
        ("de", "Der Preis ist 1.000,00 EUR.", "1 000 Euro"),
        ("en", "It costs $2.5 million.", "$2,500,000"),
        ("de", "2,5 Mio. Euro", "2.500.000 €"),
        ("fr", "1 000,50 €", "1000,50 euros"),
        ("en", "nineteen people", "19 people"),
        ("de", "zweiundzwanzig Tage", "22 Tage"),
        ("fr", "quatre-vingt-dix-neuf ans", "99 ans"),
        ("es", "treinta y cinco euros", "35 €"),
        ("it", "diciannove giorni", "19 giorni"),
        ("en", "a 6-week sabbatical", "six weeks"),
        ("de", "eine 30-Tage-Frist", "30 Tage"),
        ("en", "90 minutes", "1.5 hours"),
        ("en", "12.25 cents per share", "12.25 cents"),
        ("en", "12.25 cents per share", "a value of 12.25"),
        ("en", "two years", "24 months"),
        ("en", "on the 2nd floor", "the second floor"),
        ("en", "in the nineties", "the 1990s"),
        ("en", "the 1990s", "the 90s"),
        ("de", "19 v. H.", "19 Prozent"),
        ("es", "un plazo de un mes", "1 mes"),
        ("de", "24,91² Mio. EUR", "24.910.000 €"),  # the mark of a note
        ("de", "24,91 ² Mio. EUR", "24.910.000 €"),
        ("en", "in June 2002³⁷", "2002"),
        ("en", "5 × 10⁶", "10^6"),
    ],
)
def test_a_number_is_the_same_in_every_notation(language: str, text: str, said: str) -> None:
    assert says(text, said, language)


@pytest.mark.parametrize(
    ("language", "text", "said"),
    [
        ("en", "2.5 % a year", "25 % a year"),
        ("en", "12.5 million", "125 million"),
        ("de", "24 Monate", "24 Tage"),
        ("en", "300 euros", "300 dollars"),
        ("en", "a dividend of 12.25 cents per share", "a dividend of 12.25 %"),
        ("de", "12,25 Cent je Aktie", "12,25 Euro je Aktie"),
        ("en", "30 days of leave", "30 % of leave"),
        ("fr", "dix-neuf jours", "9 jours"),
        ("es", "treinta y cinco", "30"),
        ("it", "venti giorni", "20 mesi"),
        ("en", "1,234 people", "12,340 people"),
        ("en", "24.91²", "24.912"),
        ("en", "5 × 10⁶", "106"),
        ("en", "5 × 10⁶", "10⁷"),
    ],
)
def test_another_value_or_another_unit_is_another_quantity(
    language: str, text: str, said: str
) -> None:
    assert not says(text, said, language)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("de", "3. Oktober 2018"),
        ("de", "3.10.2018"),
        ("en", "October 3, 2018"),
        ("en", "3rd of October 2018"),
        ("en", "10/03/2018"),  # as Americans write it
        ("fr", "le 3 octobre 2018"),
        ("es", "el 3 de octubre de 2018"),
        ("it", "3 ottobre 2018"),
        ("de", "Oktober 2018"),
        ("fr", "2018"),
    ],
)
def test_a_date_is_the_same_in_every_notation(language: str, said: str) -> None:
    for text in ("Rechnung vom 03.10.2018", "Rechnung 2018-10-03", "Rechnung vom 3. Oktober 2018"):
        assert says(text, said, language, in_language="de")
    assert not says("Rechnung vom 05.03.2017", said, language, in_language="de")


def test_the_first_day_of_a_span_of_days_has_the_month_of_the_last() -> None:
    assert says("vom 3. bis 5. Oktober 2018", "am 3. Oktober 2018", "de")
    assert says("3 to 5 May 2024", "from 3 May 2024", "en")
    assert not says("3 to 5 May 2024", "on 4 May 2024", "en")


def test_a_word_that_is_a_month_too_is_one_only_where_it_says_so() -> None:
    assert values("You may go.", "en").dates == ()
    assert len(values("It closes in May.", "en").dates) == 1
    assert values("Le projet Mars avance.", "fr").dates == ()


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "at 2 p.m."),
        ("en", "at 2:00 pm"),
        ("de", "um 14 Uhr"),
        ("de", "um 14.00 Uhr"),
        ("fr", "à 14h00"),
        ("fr", "à 14 h"),
        ("es", "a las 14:00"),
        ("it", "alle ore 14:00"),
    ],
)
def test_a_time_of_the_day_is_the_same_in_every_notation(language: str, text: str) -> None:
    assert says(text, "at 14:00", "en", in_language=language)
    assert not says(text, "at 4 pm", "en", in_language=language)


def test_digits_of_a_name_or_an_identifier_are_no_numbers() -> None:
    for text in ("37signals", "the H200", "1Password", "REF-2024/00123-B", "ISO-9001:2015"):
        assert values(text, "en").numbers == ()
    assert [n.readings for n in values("37 signals", "en").numbers] == [{37.0}]


def test_an_identifier_is_held_however_its_parts_are_joined() -> None:
    spaced, joined = "IBAN DE21 8600 0000 0086 0010 55", "Käufer-IBAN: DE21860000000086001055"

    assert says(joined, spaced, "de")
    assert says(spaced, joined, "de")
    assert not says(joined.replace("1055", "1056"), spaced, "de")
    assert says("Tel. 0171 1234567", "01711234567", "de")
    assert not says("REF-2024/00124-B", "REF-2024/00123-B", "de")


def test_the_number_of_a_list_and_of_a_reference_is_no_value() -> None:
    assert values("1. Apply online.", "en").numbers == ()
    assert values("(2) Leave is paid [3].", "en").numbers == ()
    assert len(values("It takes 2 days.", "en").numbers) == 1


def test_words_that_only_look_like_numerals_are_none() -> None:
    assert values("Tu sei qui.", "it").numbers == ()
    assert values("un bâtiment neuf", "fr").numbers == ()
    assert values("No one came.", "en").numbers == ()
    assert len(values("neuf mois", "fr").numbers) == len(values("sei mesi", "it").numbers) == 1


@pytest.mark.parametrize(
    ("language", "text", "inside", "outside"),
    [
        ("en", "£100 to £500: a director", "£300", "£600"),
        ("en", "between 10 and 20 people", "15 people", "25 people"),
        ("en", "more than 50 staff", "60 staff", "40 staff"),
        ("de", "100 bis 500 Euro", "300 Euro", "600 Euro"),
        ("de", "ab 50 Personen", "70 Personen", "30 Personen"),
        ("fr", "jusqu'à 12 mois", "6 mois", "18 mois"),
        ("es", "más de 30 días", "40 días", "20 días"),
        ("it", "fino a 30 giorni", "20 giorni", "40 giorni"),
    ],
)
def test_a_number_that_is_asked_about_is_held_by_the_range_that_it_lies_in(
    language: str, text: str, inside: str, outside: str
) -> None:
    def lacking(said: str) -> bool:
        return bool(
            values(text, language).lacking(values(said, language), given=values(said, language))
        )

    assert not lacking(inside)
    assert lacking(outside)
    assert not says(text, inside, language)  # a statement may not make up a value between


def test_no_year_lies_in_a_range_of_something_else() -> None:
    asked = values("in 2019", "en")

    assert values("more than 50 people", "en").lacking(asked, given=asked)
    assert not values("from 2015 to 2020", "en").lacking(asked, given=asked)


def test_a_language_without_a_lexicon_is_read_by_its_digits() -> None:
    assert says("Kriget började 1931, 68,9 %.", "1931 och 68.9%", "sv")
    assert not says("Kriget började 1931.", "1935", "sv")


def test_every_value_whose_notations_share_no_word_has_a_normal_form() -> None:
    german = set(values("Am 3. Oktober 2018 um 14 Uhr: 1.000,50 €, neunzehn", "de").normal_forms())
    english = set(values("On 10/03/2018 at 2 pm: 1,000.50 euros, nineteen", "en").normal_forms())

    assert german == {"2018-10", "2018-10-03", "14:00", "1000.5", "19"}
    assert german <= english
