"""What leaves of a record and what does not: by class, destination, exception and field rule."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict

import msgspec
import numpy as np
import pytest
from policy.a_page import DAY_NS, KEY, NOW_NS, C, F, N, example, granted, page

from plimsoll.contract import field_classes, read_contract
from plimsoll.model.egress import EgressVerdict, FoundUndeclared
from plimsoll.model.field_classes import FieldClasses as Fc
from plimsoll.model.governance import FieldRule, Undeclared
from plimsoll.model.manifest import Consequence
from plimsoll.policy import Admitted, Gatekeeper

RECORD = {"id": "A-1", "name": "Ann Lee", "ill": "flu", "sum": 12}
CLASSES = Fc(fields={"id": Fc(word="public"), "name": Fc(word="personal"), "ill": Fc(word="special"), "sum": Fc()})
THERE = "api.there.example.org"


def keeper(governance, classes=CLASSES, default=C.INTERNAL, system="s") -> Gatekeeper:
    return Gatekeeper(governance, system=system, classes=classes, default=default)


def admit(governance, record=RECORD, to=THERE, classes=CLASSES, *, now_ns=NOW_NS, key=KEY, **more) -> Admitted:
    consequence = more.pop("consequence", None)
    return keeper(governance, classes, **more).admit(to, record, now_ns=now_ns, key=key, consequence=consequence)


# -- rulings


def test_what_is_allowed_goes_as_it_is():
    admitted = admit(page())
    assert admitted.verdict is EgressVerdict.ALLOWED
    assert admitted.outgoing == RECORD
    assert admitted.note.rule == ""


def test_where_nothing_has_to_be_looked_at_the_record_itself_goes():
    classes = Fc(fields={"name": Fc(word="personal")})
    record = {"name": "Ann"}
    assert admit(page(), record, classes=classes, default=C.PERSONAL).outgoing is record


def test_one_forbidden_field_keeps_the_whole_record_and_names_the_field_alone():
    admitted = admit(page({C.SPECIAL: {"there": F}}))
    assert admitted.verdict is EgressVerdict.REFUSED
    assert admitted.outgoing is None
    assert admitted.note.fields == ("/ill",)
    assert admitted.note.rule == "data.special.there: forbidden"
    assert "flu" not in repr(admitted) + repr(admitted.note)


def test_the_rule_on_the_closest_class_is_named_and_every_field():
    admitted = admit(page({C.PERSONAL: {"there": F}, C.SPECIAL: {"there": F}}))
    assert admitted.note.rule == "data.special.there: forbidden"
    assert set(admitted.note.fields) == {"/name", "/ill"}


def test_a_field_that_is_not_there_forbids_nothing():
    governance = page({C.SPECIAL: {"there": F}})
    assert admit(governance, {**RECORD, "ill": None}).verdict is EgressVerdict.ALLOWED
    assert admit(governance, {k: v for k, v in RECORD.items() if k != "ill"}).verdict is EgressVerdict.ALLOWED


def test_another_destination_has_another_ruling():
    governance = page({C.SPECIAL: {"there": F}})
    assert admit(governance, to="here.example.org").verdict is EgressVerdict.ALLOWED
    assert admit(governance, to="").note.place == "in-process"


@pytest.mark.parametrize(
    "host", ["elsewhere.example.org", "there.example.org", "example.org", "api.there.example.org.evil.test", "xthere.example.org",
             "api.there.example.org/@evil.test", "127.0.0.1", "[::1]", "*", "unknown", "in-process", "there", "bücher.there.example.org"],
)  # fmt: skip
def test_a_host_that_the_page_does_not_name_gets_nothing_not_even_public_data(host):
    classes = Fc(fields={"id": Fc(word="public")})
    for record in ({"id": "A-1"}, {}, None):
        admitted = admit(page(), record, to=host, classes=classes, default=C.PUBLIC)
        assert (admitted.verdict, admitted.note.place) == (EgressVerdict.REFUSED, "unknown")


@pytest.mark.parametrize(
    "host", ["API.There.Example.ORG", "api.there.example.org.", "api.there.example.org:8443", "a.b.there.example.org"]
)
def test_a_host_is_the_same_however_it_is_written(host):
    assert admit(page(), to=host).note.place == "there"


# -- classes


def test_what_no_contract_classifies_has_the_class_of_the_manifest():
    governance = page({C.PERSONAL: {"there": F}})
    assert admit(governance, {"sum": 12}).verdict is EgressVerdict.ALLOWED
    assert admit(governance, {"sum": 12}, default=C.PERSONAL).note.fields == ("/sum",)
    assert admit(governance, {"never": "declared"}, default=C.PERSONAL).note.fields == ("/*",)
    assert admit(governance, "no object", default=C.PERSONAL, classes=Fc()).note.fields == ("",)


def test_where_all_that_is_declared_may_go_what_is_not_declared_still_may_not():
    classes = Fc(word="personal", fields={"name": Fc(word="personal")})
    by_name = Fc(word="personal", key=Fc(word="special"), value=Fc(word="personal"))
    governance = page({C.SPECIAL: {"there": F}})
    assert admit(governance, {"name": "Ann"}, classes=classes, default=C.SPECIAL).verdict is EgressVerdict.ALLOWED
    assert admit(governance, {"odd": "Ann"}, classes=classes, default=C.SPECIAL).verdict is EgressVerdict.REFUSED
    assert admit(governance, {"Ann": "x"}, classes=by_name, default=C.PUBLIC).verdict is EgressVerdict.REFUSED


def test_names_that_nobody_declared_are_not_repeated():
    admitted = admit(page({C.PERSONAL: {"there": F}}), {"ann@example.org": 1}, default=C.PERSONAL)
    assert "ann" not in repr(admitted)


def test_a_word_that_nobody_explained_means_the_closest_class():
    governance = page({C.SPECIAL: {"there": F}}, words={"pii": C.PERSONAL})
    for word, verdict in {"pii": "allowed", "PII": "allowed", "secret": "refused", "Personal": "allowed"}.items():
        assert admit(governance, {"x": 1}, classes=Fc(fields={"x": Fc(word=word)})).verdict == verdict


def test_what_stands_inside_something_closely_kept_is_kept_as_closely():
    governance = page({C.SPECIAL: {"there": F}})
    inside = Fc(fields={"file": Fc(word="special", fields={"page": Fc(word="confidential"), "no": Fc(word="public")})})
    assert admit(governance, {"file": {"no": 1}}, classes=inside).note.fields == ("/file/no",)
    assert admit(governance, {"file": {"odd": 1}}, classes=inside).note.fields == ("/file/*",)


def test_items_and_maps_are_ruled_on_by_their_classes():
    classes = Fc(
        fields={
            "lines": Fc(items=Fc(fields={"who": Fc(word="special"), "sum": Fc(word="public")})),
            "by": Fc(word="public", key=Fc(word="special"), value=Fc(word="public")),
        }
    )
    governance = page({C.SPECIAL: {"there": F}})
    assert admit(governance, {"lines": [{"sum": 1}, {"sum": 2}]}, classes=classes).verdict is EgressVerdict.ALLOWED
    refused = admit(
        governance, {"lines": [{"sum": 1}, {"who": "Ann"}, {"who": "Bob"}], "by": {"Ann": 1}}, classes=classes
    )
    assert refused.note.fields == ("/lines/*/who", "/by/*")


def test_a_value_of_another_shape_than_declared_could_hold_anything_below():
    classes = Fc(fields={"x": Fc(word="public", fields={"deep": Fc(word="special")})})
    governance = page({C.SPECIAL: {"there": F}})
    assert admit(governance, {"x": "Ann has the flu"}, classes=classes).verdict is EgressVerdict.REFUSED
    assert admit(governance, {"x": ["Ann"]}, classes=classes).verdict is EgressVerdict.REFUSED
    assert admit(governance, {"x": {"deep": None}}, classes=classes).verdict is EgressVerdict.ALLOWED


def test_classes_come_from_the_contract_as_it_is_read():
    contract = read_contract(
        """
apiVersion: v3.2.0
kind: DataContract
id: claims
version: 1.0.0
schema:
  - name: claim
    logicalType: object
    properties:
      - {name: id, logicalType: string, classification: public}
      - name: patient
        logicalType: object
        classification: special
        properties:
          - {name: city, logicalType: string, classification: internal}
          - {name: note, logicalType: string}
      - {name: open, logicalType: object, classification: internal, properties: [{name: a, logicalType: string}]}
      - {name: tags, logicalType: array, items: {logicalType: string, classification: PII}}
      - {name: scores, logicalType: map, map: {key: {logicalType: string, classification: personal}, value: {logicalType: number}}}
      - {name: login, logicalType: string, logicalTypeOptions: {format: password}}
""",
        "claims.odcs.yaml",
    )
    classes = field_classes(contract)
    words = {name: f.word for name, f in classes.fields.items()}
    assert words == {
        "id": "public",
        "patient": "special",
        "open": "internal",
        "tags": "",
        "scores": "",
        "login": "password",
    }
    assert {n: f.word for n, f in classes.fields["patient"].fields.items()} == {"city": "special", "note": "special"}
    assert classes.fields["open"].fields["a"].word == "internal"
    assert classes.fields["tags"].items.word == "pii"
    assert classes.fields["scores"].key.word == "personal"
    assert field_classes(None) == Fc()


# -- exceptions


def test_what_needs_approval_goes_while_an_exception_of_this_system_lasts():
    governance = page({C.PERSONAL: {"there": N}}, granted=[granted(C.PERSONAL, "there")])
    record = {"name": "Ann"}
    gatekeeper = keeper(governance)
    first, end = NOW_NS - 24 * DAY_NS - DAY_NS // 2, NOW_NS + 6 * DAY_NS + DAY_NS // 2

    def verdict(now_ns):
        return gatekeeper.admit(THERE, record, now_ns=now_ns, key=KEY).verdict

    assert dt.datetime.fromtimestamp(first / 1e9, dt.UTC).isoformat() == "2026-11-01T00:00:00+00:00"
    assert verdict(first - 1) is EgressVerdict.REFUSED
    assert verdict(first) is EgressVerdict.ALLOWED
    assert verdict(end - 1) is EgressVerdict.ALLOWED
    assert verdict(end) is EgressVerdict.REFUSED
    assert verdict(NOW_NS) is EgressVerdict.ALLOWED  # the plan of another day is another plan


def test_an_exception_is_for_one_system_one_class_and_one_destination():
    governance = page(
        {C.PERSONAL: {"there": N, "here": N}, C.SPECIAL: {"there": N}}, granted=[granted(C.PERSONAL, "there")]
    )
    assert admit(governance, {"name": "Ann"}).verdict is EgressVerdict.ALLOWED
    assert admit(governance, {"name": "Ann"}, system="other").verdict is EgressVerdict.REFUSED
    assert admit(governance, {"name": "Ann"}, to="here.example.org").verdict is EgressVerdict.REFUSED
    assert admit(governance, {"ill": "flu"}).verdict is EgressVerdict.REFUSED


def test_an_exception_lifts_nothing_that_is_forbidden():
    governance = page({C.PERSONAL: {"there": F}}, granted=[granted(C.PERSONAL, "there")])
    assert admit(governance, {"name": "Ann"}).verdict is EgressVerdict.REFUSED


def test_an_ended_exception_is_named_with_who_can_renew_it():
    governance = page({C.PERSONAL: {"there": N}}, granted=[granted(C.PERSONAL, "there", until="2026-11-20")])
    why = admit(governance, {"name": "Ann"}).why
    assert "ended on 2026-11-20" in why
    assert "ann@example.org" in why


def test_exceptions_in_force_are_noted():
    governance = page({C.PERSONAL: {"there": N}}, granted=[granted(C.PERSONAL, "there")])
    assert admit(governance, {"name": "Ann"}).note.exceptions == ("personal until 2026-12-01",)


# -- without a page


def test_without_a_page_nothing_but_public_data_leaves():
    assert admit(None, to="").outgoing is RECORD
    assert admit(None, {"id": "A-1"}, default=C.PUBLIC).verdict is EgressVerdict.ALLOWED
    assert admit(None, {"id": "A-1"}).verdict is EgressVerdict.REFUSED
    assert admit(None, {}, default=C.INTERNAL).verdict is EgressVerdict.REFUSED
    refused = admit(None, RECORD, default=C.PUBLIC)
    assert refused.note.fields == ("/name", "/ill")
    assert "governance" in refused.why


# -- field rules

MASK = {"there": {C.PERSONAL: FieldRule.PSEUDONYMISE, C.SPECIAL: FieldRule.REDACT}}


def test_fields_are_masked_on_the_way_out_and_restored_on_the_way_back():
    admitted = admit(page({C.PERSONAL: {"there": F}, C.SPECIAL: {"there": F}}, fields=MASK))
    assert admitted.verdict is EgressVerdict.ALLOWED
    assert admitted.outgoing["ill"] == "[redacted]"
    mark = admitted.outgoing["name"]
    assert mark.startswith("PSN-")
    assert admitted.restore({"to": mark, "text": f"Dear {mark}, hello {mark}s"}) == {
        "to": "Ann Lee",
        "text": "Dear Ann Lee, hello Ann Lees",
    }
    assert (admitted.note.redacted, admitted.note.pseudonymised) == (("/ill",), ("/name",))


def test_a_redacted_number_is_null_and_a_pseudonym_gives_a_number_back():
    classes = Fc(fields={"ill": Fc(word="special"), "name": Fc(word="personal")})
    admitted = admit(page(fields=MASK), {"ill": 7, "name": 4.5}, classes=classes)
    assert admitted.outgoing["ill"] is None
    assert admitted.restore(admitted.outgoing)["name"] == 4.5
    assert admitted.restore(f"<{admitted.outgoing['name']}>") == "<4.5>"


def test_equal_values_have_one_pseudonym_and_another_key_gives_another():
    classes = Fc(items=Fc(word="personal"))
    one = admit(page(fields=MASK), ["Ann", "Bob", "Ann"], classes=classes).outgoing
    assert one[0] == one[2] != one[1]
    assert admit(page(fields=MASK), ["Ann"], classes=classes).outgoing == one[:1]
    assert admit(page(fields=MASK), ["Ann"], classes=classes, key=b"another secret of the house").outgoing != one[:1]


def test_without_a_key_what_needs_pseudonyms_is_refused():
    for key in (b"", b"short"):
        refused = admit(page(fields=MASK), key=key)
        assert refused.verdict is EgressVerdict.REFUSED
        assert "16 bytes" in refused.why
    assert admit(page(fields=MASK), {"id": "A-1"}, key=b"").verdict is EgressVerdict.ALLOWED


def test_a_record_that_holds_its_own_pseudonyms_gets_others():
    mark = admit(page(fields=MASK), {"name": "Ann"}).outgoing["name"]
    admitted = admit(page(fields=MASK), {"name": "Ann", "id": f"see {mark}"})
    assert admitted.outgoing["name"] != mark
    assert admitted.restore(admitted.outgoing) == {"name": "Ann", "id": f"see {mark}"}


def test_names_that_nobody_declared_are_masked_with_their_values():
    admitted = admit(page(fields=MASK), {"odd": {"a": 1}}, default=C.PERSONAL)
    assert b"odd" not in msgspec.json.encode(admitted.outgoing)
    assert admitted.restore(admitted.outgoing) == {"odd": {"a": 1}}
    assert admit(page(fields=MASK), {"odd": 1}, default=C.SPECIAL).outgoing == {}


def test_masking_does_not_change_the_record_given():
    record = {"name": "Ann", "lines": [{"who": "Bob"}]}
    before = msgspec.json.encode(record)
    classes = Fc(fields={"name": Fc(word="personal"), "lines": Fc(items=Fc(fields={"who": Fc(word="special")}))})
    admit(page(fields=MASK), record, classes=classes)
    assert msgspec.json.encode(record) == before


# -- a person


def test_by_class_or_consequence_a_person_looks_at_the_answer():
    governance = page(review=[C.SPECIAL], consequence=[Consequence.LEGAL])
    admitted = admit(governance)
    assert (admitted.verdict, admitted.note.rule, admitted.outgoing) == (
        EgressVerdict.NEEDS_PERSON,
        "review.data: special",
        RECORD,
    )
    assert admit(governance, {"id": "A-1"}).verdict is EgressVerdict.ALLOWED
    legal = admit(governance, {"id": "A-1"}, consequence=Consequence.LEGAL)
    assert (legal.verdict, legal.note.rule) == (EgressVerdict.NEEDS_PERSON, "review.consequence: legal")
    assert admit(governance, to="", consequence=Consequence.NONE).verdict is EgressVerdict.NEEDS_PERSON


def test_what_is_forbidden_is_refused_and_not_reviewed():
    assert admit(page({C.SPECIAL: {"there": F}}, review=[C.SPECIAL])).verdict is EgressVerdict.REFUSED


# -- personal data that nobody declared

NOTE = {"sum": "write to ann@example.org, or to ann@example.org"}


def test_undeclared_personal_data_is_reported_where_the_page_says_so():
    admitted = admit(page({C.PERSONAL: {"there": F}}, undeclared=Undeclared.REPORT), NOTE)
    assert (admitted.verdict, admitted.outgoing) == (EgressVerdict.ALLOWED, NOTE)
    assert admitted.note.undeclared == (FoundUndeclared("/sum", "email"),)


def test_undeclared_personal_data_is_refused_where_personal_data_is():
    refused = admit(page({C.PERSONAL: {"there": F}}), NOTE)
    assert (refused.verdict, refused.note.fields) == (EgressVerdict.REFUSED, ("/sum",))
    assert refused.why.startswith("personal data stands where the contract declares none")
    assert "ann" not in repr(refused)


def test_undeclared_personal_data_is_masked_where_it_stands_and_the_rest_of_the_text_goes():
    admitted = admit(page(fields=MASK), NOTE)
    text = admitted.outgoing["sum"]
    assert "ann@example.org" not in text
    assert text.startswith("write to PSN-")
    assert admitted.restore(text) == NOTE["sum"]
    redacted = admit(page(fields={"there": {C.PERSONAL: FieldRule.REDACT}}), NOTE)
    assert redacted.outgoing["sum"] == "write to [redacted], or to [redacted]"


def test_numbers_names_and_what_is_deep_inside_are_looked_at_too():
    governance = page({C.PERSONAL: {"there": F}})
    for record in ({"sum": 4111111111111111}, {"sum": [{"a": ["ann@example.org"]}]}, {"sum": {"ann@example.org": 1}}):
        assert admit(governance, record).verdict is EgressVerdict.REFUSED, record
    assert admit(governance, {"ann@example.org": 1}).verdict is EgressVerdict.REFUSED


def test_a_field_that_is_declared_personal_is_not_looked_into():
    assert admit(page(), {"name": "ann@example.org"}).note.undeclared == ()


# -- values that are not JSON


class Claim(msgspec.Struct):
    who: str
    n: int = 1


def test_arrays_and_structs_go_as_they_are_where_nothing_in_them_may_not():
    for value in (np.zeros((2, 2)), Claim("x"), b"raw", dt.date(2026, 1, 1), (1, "a"), np.float64(2)):
        assert admit(page(), {"sum": value}, to="").outgoing["sum"] is value or value == (1, "a")


def test_what_is_inside_a_struct_is_found():
    governance = page({C.PERSONAL: {"there": F}})
    assert admit(governance, {"sum": Claim("ann@example.org")}).verdict is EgressVerdict.REFUSED
    assert admit(governance, {"sum": np.array(["ann@example.org"])}).verdict is EgressVerdict.REFUSED


def test_subclasses_of_dict_are_taken_apart_like_any_object():
    record = OrderedDict(RECORD)
    assert admit(page({C.SPECIAL: {"there": F}}), record).note.fields == ("/ill",)


def test_the_example_page_rules_as_it_reads():
    gatekeeper = Gatekeeper(example(), system="claims-reader", classes=CLASSES, default=C.INTERNAL)
    eu, us = "api.eu.example.com", "x.example.com"
    assert gatekeeper.admit(eu, {"name": "Ann"}, now_ns=NOW_NS, key=KEY).verdict is EgressVerdict.ALLOWED
    assert gatekeeper.admit(us, {"name": "Ann"}, now_ns=NOW_NS, key=KEY).note.pseudonymised == ("/name",)
    assert gatekeeper.admit(us, {"sum": 1}, now_ns=NOW_NS, key=KEY).verdict is EgressVerdict.REFUSED
    # api.eu.example.com is below *.example.com too; the closer pattern counts.
    assert gatekeeper.admit(eu, {}, now_ns=NOW_NS).note.place == "eu-provider"
    assert gatekeeper.admit("10.9.8.7:443", {"sum": 1}, now_ns=NOW_NS).note.place == "own-network"
