"""How often obvious personal data is found in texts, how often something else is taken for it, and what looking costs.

    python benchmarks/personal.py [--json]

The texts are generated: sentences in five languages around identifiers whose check digits are made here, by other code
than what checks them. Forms that the scanner does not know are among them, in the shares in which people may write them;
the shares are a guess of ours, so that the figures say what is and is not found, and not how often in your texts.
"""

from __future__ import annotations

import argparse
import json
import random
import timeit
from collections.abc import Callable

from plimsoll.policy.personal import scan_text

SEED = 20261125
PER_KIND = 2_000
Make = Callable[[random.Random], str]

SENTENCES = (
    "Please write to {} before Friday.", "{}", "Customer said: {}", "Bitte an {} senden, danke!", "Meine Daten: {}.",
    "Voici mes coordonnées : {}", "Mi dato es {}, gracias.", "Il mio dato: {} (vedi allegato)", "ref {}; see below",
    "name;{};2026-11-25", "<p>{}</p>", '"{}"',
)  # fmt: skip


def digits(r: random.Random, n: int) -> str:
    return "".join(r.choice("0123456789") for _ in range(n))


def grouped(text: str, sizes: tuple[int, ...], by: str) -> str:
    parts, at = [], 0
    for size in sizes:
        parts.append(text[at : at + size])
        at += size
    return by.join([*parts, text[at:]] if at < len(text) else parts)


# -- what is personal


def email(r: random.Random) -> str:
    name = r.choice(["ann", "j.smith", "mary_jane", "lee+shop", "o'brien", "x7", "jürgen", "a.b.c"])
    host = r.choice(["example.org", "mail.example.co.uk", "bücher.example", "ex-ample.museum", "example.photography"])
    return r.choices(
        [f"{name}@{host}", f"{name}@{host}".upper(), f"{name} at {host}", f"{name}[at]{host}", f'"{name} x"@{host}'],
        [88, 6, 2, 2, 2],
    )[0]


def iban(r: random.Random) -> str:
    country, n = r.choice([("DE", 18), ("NL", 14), ("FR", 23), ("ES", 20), ("GB", 18), ("MT", 27), ("NO", 11)])
    letters = {"NL": "ABNA", "GB": "NWBK", "MT": "MALT"}.get(country, "")
    body = letters + digits(r, n - len(letters))
    number = int("".join(str(int(c, 36)) for c in body + country + "00"))
    text = f"{country}{98 - number % 97:02d}{body}"
    fours = " ".join(text[i : i + 4] for i in range(0, len(text), 4))
    return r.choices([text, fours, text.lower(), fours.replace(" ", "-"), fours.replace(" ", ".")], [45, 45, 4, 4, 2])[
        0
    ]


def luhn_digit(body: str) -> str:
    return next(d for d in "0123456789" if sum(
        int(c) if i % 2 == 0 else sum(map(int, str(2 * int(c)))) for i, c in enumerate(reversed(body + d))
    ) % 10 == 0)  # fmt: skip


def card(r: random.Random) -> str:
    first, n = r.choice(
        [("4", 16), ("51", 16), ("2221", 16), ("34", 15), ("37", 15), ("6011", 16), ("36", 14), ("3528", 16)]
    )
    body = first + digits(r, n - 1 - len(first))
    text = body + luhn_digit(body)
    sizes = (4, 6, 5) if n == 15 else (4, 6, 4) if n == 14 else (4, 4, 4, 4)
    return r.choices(
        [text, grouped(text, sizes, " "), grouped(text, sizes, "-"), grouped(text, sizes, ".")], [40, 40, 17, 3]
    )[0]


def phone(r: random.Random) -> str:
    def us() -> str:
        a, b, c = f"{r.randint(2, 9)}{digits(r, 2)}", f"{r.randint(2, 9)}{digits(r, 2)}", digits(r, 4)
        return r.choice(
            [f"({a}) {b}-{c}", f"{a}-{b}-{c}", f"+1 {a} {b} {c}", f"+1{a}{b}{c}", f"{a}.{b}.{c}", f"{a}{b}{c}"]
        )

    def de() -> str:
        a, b = r.choice(["30", "89", "171", "4321"]), digits(r, 7)
        return r.choice(
            [f"0{a} {b}", f"+49 {a} {b}", f"0{a}/{b}", f"(0{a}) {b}", f"0049{a}{b}", f"0{a}{b}", f"Tel.: 0{a}{b}"]
        )

    def fr() -> str:
        pairs = [f"0{r.randint(1, 9)}", *(digits(r, 2) for _ in range(4))]
        return r.choice(
            [" ".join(pairs), ".".join(pairs), "".join(pairs), "+33 " + " ".join([pairs[0][1], *pairs[1:]])]
        )

    def uk() -> str:
        return r.choice(
            [f"020 {digits(r, 4)} {digits(r, 4)}", f"07{digits(r, 3)} {digits(r, 6)}", f"+44 7{digits(r, 9)}"]
        )

    return r.choice([us, de, fr, uk])()


def de_steuer_id(r: random.Random) -> str:
    twice = r.choice("0123456789")
    rest = r.sample([d for d in "0123456789" if d != twice], 8)
    while True:
        first = [*rest, twice, twice]
        r.shuffle(first)
        if first[0] != "0":
            break
    product = 10
    for d in first:
        product = ((int(d) + product) % 10 or 10) * 2 % 11
    text = "".join(first) + str((11 - product) % 10)
    return r.choices([text, grouped(text, (2, 3, 3, 3), " "), grouped(text, (2, 3, 3, 3), "/")], [60, 35, 5])[0]


def es_dni(r: random.Random) -> str:
    lead = r.choice(["", "X", "Y", "Z"])
    body = digits(r, 7 if lead else 8)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int({"": "", "X": "0", "Y": "1", "Z": "2"}[lead] + body) % 23]
    return r.choices(
        [f"{lead}{body}{letter}", f"{lead}{body}-{letter}", f"{lead}{body[:-6]}.{body[-6:-3]}.{body[-3:]}{letter}"],
        [80, 15, 5],
    )[0]


def fr_nir(r: random.Random) -> str:
    body = f"{r.choice('12')}{digits(r, 2)}{r.randint(1, 12):02d}{r.randint(1, 95):02d}{digits(r, 6)}"
    text = f"{body}{97 - int(body) % 97:02d}"
    return r.choice([text, grouped(text, (1, 2, 2, 2, 3, 3, 2), " "), grouped(text, (13, 2), " ")])


def it_codice_fiscale(r: random.Random) -> str:
    letters = "".join(r.choice("BCDFGLMNPRSTVZ") for _ in range(6))
    body = (
        f"{letters}{digits(r, 2)}{r.choice('ABCDEHLMPRST')}{r.randint(1, 71):02d}{r.choice('ABCDEFGHIL')}{digits(r, 3)}"
    )
    odd = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", (
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10,
        22, 25, 24, 23,
    ), strict=True))  # fmt: skip
    even = {c: int(c) if c.isdigit() else ord(c) - 65 for c in odd}
    text = body + chr(65 + sum((odd if i % 2 == 0 else even)[c] for i, c in enumerate(body)) % 26)
    return r.choice([text, text.lower()])


def us_ssn(r: random.Random) -> str:
    text = f"{r.randint(1, 665):03d}{r.randint(1, 99):02d}{r.randint(1, 9999):04d}"
    return r.choices(
        [grouped(text, (3, 2, 4), "-"), grouped(text, (3, 2, 4), " "), f"SSN {text}", text], [70, 15, 10, 5]
    )[0]


def uk_nino(r: random.Random) -> str:
    first = r.choice(["AB", "CE", "JG", "PX", "SR", "WM"])
    text = f"{first}{digits(r, 6)}{r.choice('ABCD')}"
    return r.choices([text, grouped(text, (2, 2, 2, 2, 1), " "), text.lower()], [60, 35, 5])[0]


def nl_bsn(r: random.Random) -> str:
    while True:
        text = digits(r, 9)
        if (
            text != "000000000"
            and sum(int(d) * w for d, w in zip(text, (9, 8, 7, 6, 5, 4, 3, 2, -1), strict=True)) % 11 == 0
        ):
            break
    return r.choices(
        [f"BSN: {text}", f"burgerservicenummer {text}", grouped(text, (4, 2, 3), "."), text], [40, 30, 15, 15]
    )[0]


PERSONAL: dict[str, Make] = {
    "email": email, "iban": iban, "card": card, "phone": phone, "de-steuer-id": de_steuer_id, "es-dni": es_dni,
    "fr-nir": fr_nir, "it-codice-fiscale": it_codice_fiscale, "us-ssn": us_ssn, "uk-nino": uk_nino, "nl-bsn": nl_bsn,
}  # fmt: skip

# -- what is not


def prose(r: random.Random) -> str:
    words = [
        "the",
        "invoice",
        "was",
        "paid",
        "on",
        "time",
        "and",
        "we",
        "thank",
        "you",
        "for",
        "your",
        "order",
        "of",
        "blue",
        "pens",
        "which",
        "left",
        "our",
        "store",
    ]
    return " ".join(r.choice(words) for _ in range(r.randint(5, 40))) + "."


def dated(r: random.Random) -> str:
    y, m, d = r.randint(1950, 2030), r.randint(1, 12), r.randint(1, 28)
    return r.choice([
        f"{y}-{m:02d}-{d:02d}T{r.randint(0, 23):02d}:{r.randint(0, 59):02d}:00.{digits(r, 6)}Z", f"{d:02d}.{m:02d}.{y}",
        f"{d:02d}/{m:02d}/{y} {r.randint(0, 23):02d}:{r.randint(0, 59):02d}", f"{y}{m:02d}{d:02d}{digits(r, 6)}",
        f"from {d:02d}-{m:02d}-{y} to {d:02d}-{m:02d}-{y + 1}", str(r.randint(10**12, 2 * 10**12)),
    ])  # fmt: skip


def amount(r: random.Random) -> str:
    value = r.randint(1, 10**9) / 100
    return r.choice(
        [f"{value:,.2f} EUR", f"${value:.2f}", f"{value:,.2f}".replace(",", " "), f"{value * 1e6:.0f}", f"{value:e}"]
    )


def order(r: random.Random) -> str:
    n = r.randint(6, 12)
    return r.choice(
        [
            f"order {digits(r, n)}",
            f"INV-{digits(r, 4)}-{digits(r, 6)}",
            f"#{digits(r, n)}",
            f"SKU {digits(r, 3)}-{digits(r, 5)}",
        ]
    )


def long_number(r: random.Random) -> str:
    return r.choice([digits(r, 13), digits(r, 16), f"978-{digits(r, 1)}-{digits(r, 4)}-{digits(r, 4)}-{digits(r, 1)}",
                     f"00{digits(r, 18)}", f"1Z{digits(r, 3)}W{digits(r, 12)}"])  # fmt: skip


def machine(r: random.Random) -> str:
    octets = ".".join(str(r.randint(0, 255)) for _ in range(4))
    hexes = "".join(r.choice("0123456789abcdef") for _ in range(64))
    return r.choice([
        octets, hexes, f"{hexes[:8]}-{hexes[8:12]}-4{hexes[13:16]}-a{hexes[17:20]}-{hexes[20:32]}",
        ":".join(hexes[i : i + 2] for i in range(0, 12, 2)), f"v{r.randint(0, 20)}.{r.randint(0, 40)}.{digits(r, 8)}",
        f"{r.uniform(-90, 90):.7f}, {r.uniform(-180, 180):.7f}", f"[{digits(r, 5)}.{digits(r, 6)}] cpu{digits(r, 2)} irq {digits(r, 3)}",
        f"0x{hexes[:16]}", f"tel aviv {digits(r, 2)}", f"user@{hexes[:6]}", f"3 @ {digits(r, 1)}.50 each",
    ])  # fmt: skip


def numbers(r: random.Random) -> str:
    by = r.choice([", ", " ", ";", "\t", " | "])
    return by.join(digits(r, r.randint(1, 7)) for _ in range(r.randint(5, 30)))


OTHER: dict[str, Make] = {
    "prose": prose, "dates and times": dated, "amounts": amount, "order numbers": order,
    "numbers of 13 to 20 digits": long_number, "addresses and digests of machines": machine, "rows of numbers": numbers,
}  # fmt: skip


def measure(per_kind: int = PER_KIND, seed: int = SEED) -> dict[str, dict[str, float]]:
    """Shares: of each kind, how many texts it was found in as what it is; of all else, in how many anything was found."""
    r = random.Random(seed)
    found: dict[str, float] = {}
    for kind, make in PERSONAL.items():
        texts = [r.choice(SENTENCES).format(make(r)) for _ in range(per_kind)]
        found[kind] = sum(any(s.kind == kind for s in scan_text(t)) for t in texts) / per_kind
    wrong: dict[str, float] = {}
    for name, other in OTHER.items():
        texts = [r.choice(SENTENCES[:3]).format(other(r)) for _ in range(per_kind)]
        wrong[name] = sum(bool(scan_text(t)) for t in texts) / per_kind
    return {"found": found, "taken for personal": wrong}


def table(measured: dict[str, dict[str, float]]) -> str:
    """The figures as the reference shows them."""
    rows = ["| texts with | found as such |\n|---|---:|"]
    rows += [f"| `{kind}` | {share:.1%} |" for kind, share in measured["found"].items()]
    rows += ["\n| texts with nothing personal | something found |\n|---|---:|"]
    rows += [f"| {name} | {share:.2%} |" for name, share in measured["taken for personal"].items()]
    return "\n".join(rows)


def cost(text: str) -> float:
    """Microseconds of one look, the best of five rounds."""
    return min(timeit.repeat(lambda: scan_text(text), number=2_000, repeat=5)) / 2_000 * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    as_json = parser.parse_args().json
    measured = measure()
    costs = {
        "scan_us_no_digits": cost("Please call me back about the broken window."),
        "scan_us_date": cost("2026-11-25T12:30:45Z"),
        "scan_us_order": cost("order 8812345678 shipped"),
        "scan_us_email": cost("write to ann@example.org"),
        "scan_ms_megabyte": cost_of_a_megabyte(),
    }
    if as_json:
        print(json.dumps({**measured, **costs}, indent=2))
        return
    print(table(measured))
    for name, value in costs.items():
        print(f"{name:<20} {value:10.2f}")


def cost_of_a_megabyte() -> float:
    """Milliseconds for a megabyte of ordinary text with numbers in it, the best of three."""
    r = random.Random(SEED)
    text = " ".join(r.choice([prose, dated, amount, order])(r) for _ in range(20_000))[:1_000_000]
    return min(timeit.repeat(lambda: scan_text(text), number=1, repeat=3)) * 1e3


if __name__ == "__main__":
    main()
