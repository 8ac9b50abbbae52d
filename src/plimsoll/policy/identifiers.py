"""Check digits of identifiers that name one person or one account: is this number one that was issued, or just digits?

Each function takes what was written without blanks and separators, and says whether it can be one. A number that passes
can still be nobody's: a check digit tells a slip of the pen, not a person.
"""

from __future__ import annotations

from typing import Final

# Length of an IBAN by country: ISO 13616-1, as published in the IBAN registry.
IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip

_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_NO_NINO: Final = frozenset({"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"})
_CF_ODD: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)


def is_iban(text: str) -> bool:
    """Whether a text is an IBAN: the length of its country, and the check digits.

    Source: ISO 13616-1; the check digits are ISO 7064, MOD 97-10.

    >>> is_iban("DE89370400440532013000"), is_iban("DE88370400440532013000")
    (True, False)
    """
    plain = text.upper()
    if IBAN_LENGTHS.get(plain[:2]) != len(plain):
        return False
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def is_card(digits: str) -> bool:
    """Whether digits are the number of a payment card: a range that a network issues, its lengths, and the check digit.

    Source: ISO/IEC 7812-1, annex B (Luhn's formula); the ranges that the networks publish: Visa 4, Mastercard 51-55 and
    2221-2720, American Express 34 and 37, Diners 300-305, 36, 38 and 39, Discover 6011, 644-649 and 65, JCB 3528-3589,
    UnionPay 62, Maestro 5018, 5020, 5038, 5893, 6304, 6759, 6761-6763.

    >>> is_card("4111111111111111"), is_card("4111111111111112"), is_card("1234567812345670")
    (True, False, False)
    """
    return len(digits) in _card_lengths(int(digits[:4])) and luhn(digits)


def _card_lengths(first: int) -> range | tuple[int, ...]:
    """The lengths that cards of these first four digits have; none when no network has the range."""
    found: range | tuple[int, ...] = ()
    if 4000 <= first <= 4999:
        found = (13, 16, 19)
    elif 5100 <= first <= 5599 or 2221 <= first <= 2720:
        found = (16,)
    elif first // 100 in {34, 37}:
        found = (15,)
    elif 3000 <= first <= 3059 or first // 100 in {36, 38, 39}:
        found = range(14, 20)
    elif first == 6011 or 6440 <= first <= 6599 or 3528 <= first <= 3589 or 6200 <= first <= 6299:
        found = range(16, 20)
    elif first in {5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763}:
        found = range(13, 20)
    return found


def luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others.

    Source: ISO/IEC 7812-1, annex B.

    >>> luhn("79927398713"), luhn("79927398710")
    (True, False)
    """
    total = 0
    for at, digit in enumerate(reversed(digits)):
        twice = int(digit) * (1 + at % 2)
        total += twice - 9 if twice > 9 else twice
    return total % 10 == 0


def is_us_ssn(digits: str) -> bool:
    """Whether nine digits can be a US social security number. It has no check digit; some numbers are never issued.

    Source: Social Security Administration, "Social Security Number Randomization": no area 000, 666 or 900-999, no
    group 00, no serial 0000.

    >>> is_us_ssn("536904399"), is_us_ssn("666904399"), is_us_ssn("536004399")
    (True, False, False)
    """
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def is_de_steuer_id(digits: str) -> bool:
    """Whether eleven digits are a German tax identification number.

    Among the first ten, one digit stands twice, or three times and not in a row; the others once at most.

    Source: Bundeszentralamt für Steuern, "Steuerliche Identifikationsnummer"; the check digit is ISO 7064, MOD 11,10.

    >>> is_de_steuer_id("86095742719"), is_de_steuer_id("86095742718"), is_de_steuer_id("12345678903")
    (True, False, False)
    """
    first = digits[:10]
    counts = sorted(first.count(d) for d in set(first))
    if first[0] == "0" or counts[-1] not in {2, 3} or (len(counts) > 1 and counts[-2] > 1):
        return False
    if counts[-1] == 3 and any(first[i] == first[i + 1] == first[i + 2] for i in range(8)):
        return False
    product = 10
    for digit in first:
        total = (int(digit) + product) % 10 or 10
        product = total * 2 % 11
    return (11 - product) % 10 == int(digits[10])


def is_es_dni(text: str) -> bool:
    """Whether a text is a Spanish DNI or NIE: digits and the letter that follows from them.

    Source: Ministerio del Interior, "Cálculo del dígito de control del NIF/NIE": the number modulo 23 chooses the
    letter; the X, Y or Z of an NIE counts as 0, 1 or 2.

    >>> is_es_dni("12345678Z"), is_es_dni("X1234567L"), is_es_dni("12345678A")
    (True, True, False)
    """
    plain = text.upper()
    number = plain[:-1].translate(str.maketrans("XYZ", "012"))
    return plain[-1] == _DNI_LETTERS[int(number) % 23]


def is_nl_bsn(digits: str) -> bool:
    """Whether nine digits pass the Dutch eleven-test. One of eleven random numbers does.

    Source: Logisch Ontwerp BSN, "elfproef": weights 9 to 2 and -1, the sum divides by 11.

    >>> is_nl_bsn("111222333"), is_nl_bsn("111222334"), is_nl_bsn("000000000")
    (True, False, False)
    """
    total = sum(int(d) * w for d, w in zip(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True))
    return total % 11 == 0 and int(digits) > 0


def is_fr_nir(text: str) -> bool:
    """Whether fifteen characters are a French social security number with its key.

    Source: INSEE, "Numéro d'inscription au répertoire": the key is 97 less the number modulo 97; in Corsica 2A counts
    as 19 and 2B as 18.

    >>> is_fr_nir("255081416802538"), is_fr_nir("255081416802537")
    (True, False)
    """
    department = {"2A": "19", "2B": "18"}.get(text[5:7].upper(), text[5:7])
    number = text[:5] + department + text[7:13]
    return 97 - int(number) % 97 == int(text[13:])


def is_uk_nino(text: str) -> bool:
    """Whether a text has the form of a UK national insurance number. It has no check digit.

    Source: HMRC, National Insurance Manual NIM39110: the letters that are used, and the prefixes that are not.

    >>> is_uk_nino("AB123456C"), is_uk_nino("GB123456C"), is_uk_nino("DA123456C"), is_uk_nino("AO123456C")
    (True, False, False, False)
    """
    first, second = text[0], text[1]
    allowed = first not in "DFIQUV" and second not in "DFIQUVO" and text[:2] not in _NO_NINO
    return allowed and text[2:8].isdigit() and text[8] in "ABCD"


def is_it_codice_fiscale(text: str) -> bool:
    """Whether sixteen characters are an Italian codice fiscale: its check character follows from the others.

    Source: Decreto ministeriale 23 dicembre 1976, n. 13814, article 7.

    >>> is_it_codice_fiscale("RSSMRA85T10A562S"), is_it_codice_fiscale("RSSMRA85T10A562T")
    (True, False)
    """
    total = 0
    for at, character in enumerate(text[:15].upper()):
        value = int(character) if character.isdigit() else ord(character) - ord("A")
        total += value if at % 2 else _CF_ODD[value]
    return chr(ord("A") + total % 26) == text[15].upper()
