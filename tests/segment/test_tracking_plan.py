"""The tracking plan expects what messages contain, and nothing else."""

from pipeline.catalog import EVENTS
from pipeline.segment.messages import MessageSource
from pipeline.segment.tracking_plan import tracking_plan
from pipeline.warehouse.declared_properties import DeclaredProperty, by_event

DECLARED = [
    DeclaredProperty("Email Bounced", "bounceCode", "bounce_code", "integer"),
    DeclaredProperty("Email Bounced", "Due At", "due_at", "timestamp"),
    DeclaredProperty("Email Opened", "device", "device", "text"),
    DeclaredProperty("Email Opened", "score", "score", "number"),
    DeclaredProperty("Email Opened", "vip", "vip", "boolean"),
]
EMAIL = {name: {"type": "string"} for name in ("email_id", "email_subject", "campaign_id", "campaign_name")}


def test_each_event_has_a_rule_in_the_form_of_the_public_api() -> None:
    plan = tracking_plan(MessageSource("source"))
    assert [(rule["key"], rule["type"], rule["version"]) for rule in plan["rules"]] == [
        (event.name, "TRACK", 1) for event in EVENTS
    ]
    for rule in plan["rules"]:
        assert set(rule) == {"key", "type", "version", "jsonSchema"}
        assert rule["jsonSchema"]["$schema"] == "http://json-schema.org/draft-07/schema#"
        assert set(rule["jsonSchema"]["properties"]) == {"context", "traits", "properties"}


def test_properties_have_their_names_and_types_and_none_is_required() -> None:
    plan = tracking_plan(MessageSource("source", None, by_event(DECLARED)))
    schemas = {rule["key"]: rule["jsonSchema"]["properties"]["properties"] for rule in plan["rules"]}
    assert schemas["Email Bounced"] == {
        "type": "object",
        "properties": EMAIL | {"bounceCode": {"type": "integer"}, "Due At": {"type": "string", "format": "date-time"}},
    }
    assert schemas["Email Opened"]["properties"] == EMAIL | {
        "device": {"type": "string"},
        "score": {"type": "number"},
        "vip": {"type": "boolean"},
    }
    assert set(schemas["Email Link Clicked"]["properties"]) == {*EMAIL, "link_id", "link_name", "link_url"}


def test_the_context_is_described_too() -> None:
    [rule, *_] = tracking_plan(MessageSource("source"))["rules"]
    context = rule["jsonSchema"]["properties"]["context"]["properties"]
    assert context["selligent"]["properties"]["is_bot"] == {"type": "boolean"}
    assert context["ip"] == context["userAgent"] == {"type": "string"}
