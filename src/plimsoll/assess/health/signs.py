"""The signs by which records of a running system and a prepared sample are told apart: what each looks for, and why.

A sign is evidence and no proof. Each speaks for one side, with a weight of 1 or 2, or for neither; `weigh` says what
they come to. The limits were set beforehand, on generated streams, and are judged on public data sets that had no part
in it: ``benchmarks/health_check.py --signs``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from plimsoll.model.health import Answer, Points, Sign

LEAST_RECORDS: Final = 50  # fewer say nothing about how they came to be
MARGIN: Final = 2  # by which one side has to be heavier
P_ODD: Final = 0.001  # probability below which a coincidence is none, before it is divided by the fields looked at


class About(msgspec.Struct, frozen=True, kw_only=True):
    """One sign of the catalogue."""

    title: str
    looks: str  # what it looks at, and what that says
    source: str


SIGNS: Final[Mapping[str, About]] = {
    "fresh": About(
        title="Freshness",
        looks="the age of the newest record. A connected system has one of the last two days; "
        "an export of a month ago is not connected",
        source="M. Bovee, R. P. Srivastava and B. Mak (2003), A conceptual framework and belief-function approach to "
        "assessing overall information quality, Int. J. of Intelligent Systems 18(1), 51-74 (currency)",
    ),
    "one-export-time": About(
        title="One export time",
        looks="the share of records with the commonest moment, where times are finer than a day. Half or more "
        "were written at once, and not as they happened",
        source="T. Akidau et al. (2015), The dataflow model, PVLDB 8(12), 1792-1803 (event time and processing time)",
    ),
    "arrival-gaps": About(
        title="Gaps between arrivals",
        looks="the burstiness of the gaps between records. What people and systems do comes in bursts (0.1 and more); "
        "equal gaps (-0.9 and less) come from a clock or a generator",
        source="K.-I. Goh and A.-L. Barabási (2008), Burstiness and memory in complex systems, EPL 81, 48002",
    ),
    "daily-rhythm": About(
        title="Daily rhythm",
        looks="records by the hour of the day, over three days or more. Work has nights; "
        "hours as even as chance would have them do not come from people",
        source="K. Pearson (1900), On the criterion that a given system of deviations…, Philosophical Magazine 50, "
        "157-175 (the test)",
    ),
    "late-or-corrected": About(
        title="Late and corrected records",
        looks="records that stand after a later one, and the same id with another content. A running system has some; "
        "none at all is the order of a query, and half of all is a shuffle",
        source="T. Akidau et al. (2015), The dataflow model, PVLDB 8(12), 1792-1803 (unordered data is the rule)",
    ),
    "ids": About(
        title="Identifiers",
        looks="the steps between whole-number ids. Numbers given out by a database have holes; "
        "1, 2, 3… without one were given to this sample",
        source="PostgreSQL 17 documentation, 9.17 Sequence manipulation functions (no sequence is without gaps)",
    ),
    "versions": About(
        title="Versions of the records",
        looks="different sets of fields among the records. Systems change while they run; a sample has one form",
        source="S. Scherzinger, M. Klettke and U. Störl (2013), Managing schema evolution in NoSQL data stores, DBPL",
    ),
    "duplicates": About(
        title="Duplicates",
        looks="records that came twice under the same id, byte by byte. At-least-once delivery leaves some",
        source="J. H. Saltzer, D. P. Reed and D. D. Clark (1984), End-to-end arguments in system design, ACM TOCS "
        "2(4), 277-288 (duplicate suppression)",
    ),
    "missing-values": About(
        title="Missing values",
        looks="the share of values that are not there. None at all in a thousand and more is too complete",
        source="J. A. Hanley and A. Lippman-Hand (1983), If nothing goes wrong, is everything all right?, JAMA "
        "249(13), 1743-1745 (what none of n shows)",
    ),
    "errors": About(
        title="Errors",
        looks="records that cannot be read, and fields whose values are of several kinds. Nobody prepares those",
        source="Z. Abedjan et al. (2016), Detecting data errors: where are we and what needs to be done?, PVLDB 9(12), "
        "993-1004",
    ),
    "encodings": About(
        title="Encodings",
        looks="texts that were decoded wrongly on their way (Ã¤ for ä), and characters that stand for lost ones",
        source="The Unicode Standard, 3.9 and 23.8 (U+FFFD takes the place of what cannot be decoded)",
    ),
    "balance": About(
        title="Balance",
        looks="counts of the values of a field with few of them. Shares that are more equal than chance makes them "
        "were made equal",
        source="R. A. Fisher (1936), Has Mendel's work been rediscovered?, Annals of Science 1(2), 115-137",
    ),
    "round-count": About(
        title="Number of records",
        looks="a number of records that is a round hundred. Chance gives one in a hundred",
        source="the arithmetic",
    ),
    "last-digits": About(
        title="Last digits",
        looks="the last digits of whole numbers. People who write down what they see round to 0 and 5; "
        "people who invent numbers avoid them",
        source="J. E. Mosimann, C. V. Wiseman and R. E. Edelman (1995), Data fabrication: can people generate random "
        "digits?, Accountability in Research 4(1), 31-55; B. Beber and A. Scacco (2012), What the numbers say, "
        "Political Analysis 20(2), 211-234",
    ),
    "computed": About(
        title="Computed figures",
        looks="numbers with twelve significant decimals and more in most fields, or centred on 0. "
        "Nobody sends those: they were scaled for a model",
        source="JCGM 100:2008 (GUM), 7.2.6: a result is not given with an excessive number of digits",
    ),
    "even-spread": About(
        title="Even spread",
        looks="numbers that are spread evenly between two limits, as a generator spreads them",
        source="A. N. Kolmogorov (1933), Sulla determinazione empirica di una legge di distribuzione, Giorn. Ist. "
        "Ital. Attuari 4, 83-91; P. Massart (1990), Annals of Probability 18(3), 1269-1283",
    ),
    "text-lengths": About(
        title="Lengths of texts",
        looks="the spread of the lengths of what people wrote. It is wide (a standard deviation of half the mean "
        "and more); texts of one length come from a template",
        source="P. Sobkowicz, M. Thelwall, K. Buckley, G. Paltoglou and A. Sobkowicz (2013), Lognormal distributions "
        "of user post lengths in Internet discussions, EPJ Data Science 2, 2",
    ),
    "placeholders": About(
        title="Placeholders",
        looks="names, addresses and texts that are made for examples: example.org, John Doe, lorem ipsum, test. "
        "A running system has one in a thousand, a demonstration one in twenty and more",
        source="RFC 2606 (1999), Reserved top level DNS names",
    ),
}


class Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """What the signs of one source come to."""

    answer: Answer
    prepared: int
    live: int
    said: str


def weigh(signs: Sequence[Sign], records: int, *, fresh: bool | None) -> Weighed:
    """What the signs come to: the heavier side, where it is heavier by two.

    Args:
        signs: of one source; of each name the heaviest one counts.
        records: how many there are.
        fresh: whether the newest record is of these days; None: that cannot be told. Only fresh records are taken for
            live ones.
    """
    prepared = _weight(signs, Points.PREPARED)
    live = _weight(signs, Points.LIVE)
    figures = f"signs of a prepared sample weigh {prepared}, signs of a running system {live}"
    if records < LEAST_RECORDS:
        said = f"{records:,} records are too few to tell; {LEAST_RECORDS} is the least"
        return Weighed(answer=Answer.UNCLEAR, prepared=prepared, live=live, said=said)
    if prepared - live >= MARGIN:
        return Weighed(answer=Answer.NO, prepared=prepared, live=live, said=figures)
    if live - prepared >= MARGIN:
        if fresh:
            return Weighed(answer=Answer.YES, prepared=prepared, live=live, said=figures)
        why = "no field says when a record was made" if fresh is None else "the newest record is old"
        said = f"{figures}, but {why}, so nothing shows that it is connected"
        return Weighed(answer=Answer.UNCLEAR, prepared=prepared, live=live, said=said)
    said = f"{figures}: neither is heavier by {MARGIN}"
    return Weighed(answer=Answer.UNCLEAR, prepared=prepared, live=live, said=said)


def _weight(signs: Sequence[Sign], points: Points) -> int:
    heaviest: dict[str, int] = {}
    for sign in signs:
        if sign.points is points:
            heaviest[sign.name] = max(heaviest.get(sign.name, 0), sign.weight)
    return sum(heaviest.values())


def sign(name: str, points: Points, figure: str, said: str, *, weight: int = 1, field: str = "") -> Sign:
    """One sign; what speaks for neither weighs nothing."""
    assert name in SIGNS, f"'{name}' is not in the catalogue of signs"
    return Sign(
        name=name,
        points=points,
        weight=0 if points is Points.NEITHER else weight,
        figure=figure,
        said=said,
        field=field,
    )
