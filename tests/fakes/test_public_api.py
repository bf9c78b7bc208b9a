"""The Public API double is no kinder than Segment: what the documentation forbids gets a 4xx."""

from datetime import UTC, datetime

import pytest
import requests

from tests.fakes.public_api_server import FAILED, FILTERED, RECEIVED, Happened, PublicApiServer

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)
RIGHT = {
    "sourceId": "source-1",
    "startTime": "2026-03-02T10:00:00Z",
    "endTime": "2026-03-02T12:00:00Z",
    "granularity": "HOUR",
    "groupBy.0": "eventName",
    "pagination.count": "200",
}


def ask(server: PublicApiServer, changed: dict[str, str], stage: str = RECEIVED, **options: str) -> requests.Response:
    parameters = {name: value for name, value in (RIGHT | changed).items() if value}
    headers = {"Authorization": options.get("authorization", "Bearer test-token")}
    url = f"{server.url}{options.get('path', f'/delivery-overview/{stage}')}"
    return requests.request(options.get("method", "GET"), url, params=parameters, headers=headers, timeout=10)


def test_events_are_counted_by_name_reason_and_hour_in_their_window() -> None:
    with PublicApiServer(clock=lambda: NOW) as server:
        server.record(
            Happened(FAILED, "Email Opened", datetime(2026, 3, 2, 9, 59, 59, tzinfo=UTC)),
            Happened(FAILED, "Email Opened", datetime(2026, 3, 2, 10, 0, tzinfo=UTC), 2, "id_required"),
            Happened(FAILED, "Email Opened", datetime(2026, 3, 2, 11, 59, 59, tzinfo=UTC), 3, "id_required"),
            Happened(FAILED, "Email Opened", datetime(2026, 3, 2, 12, 0, tzinfo=UTC)),
            Happened(RECEIVED, "Email Opened", datetime(2026, 3, 2, 10, 0, tzinfo=UTC)),
        )
        found = ask(server, {"groupBy.1": "discardReason"}, FAILED)
    assert found.json() == {
        "data": {
            "total": 5,
            "dataset": [
                {
                    "eventName": "Email Opened",
                    "discardReason": "id_required",
                    "total": 5,
                    "series": [
                        {"time": "2026-03-02T10:00:00.000Z", "count": 2},
                        {"time": "2026-03-02T11:00:00.000Z", "count": 3},
                    ],
                }
            ],
            "pagination": {"current": "eyJmcm9tIjogMH0=", "totalEntries": 1},
        }
    }


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (200, {}),
        (200, {"granularity": "DAY", "startTime": "2026-02-01T00:00:00Z", "endTime": "2026-03-02T00:00:00Z"}),
        (422, {"granularity": "DAY", "startTime": "2026-01-31T00:00:00Z", "endTime": "2026-02-02T00:00:00Z"}),
        (200, {"startTime": "2026-02-16T13:00:00Z"}),
        (422, {"startTime": "2026-02-16T12:00:00Z", "endTime": "2026-02-16T13:00:00Z"}),
        (200, {"granularity": "MINUTE", "startTime": "2026-03-02T08:00:00Z"}),
        (422, {"granularity": "MINUTE", "startTime": "2026-03-02T07:59:00Z"}),
        (422, {"granularity": "MINUTE", "startTime": "2026-02-28T12:00:00Z", "endTime": "2026-02-28T13:00:00Z"}),
        (422, {"granularity": "hour"}),
        (422, {"granularity": ""}),
        (422, {"startTime": "yesterday"}),
        (422, {"endTime": ""}),
        (422, {"startTime": "2026-03-02T12:00:00Z"}),
        (422, {"groupBy.0": "discardReason"}),
        (422, {"groupBy.0": "", "groupBy.1": "eventName"}),
        (422, {"groupBy": "eventName"}),
        (422, {"pagination.count": "0"}),
        (422, {"pagination.count": "201"}),
        (422, {"pagination.cursor": "2"}),
        (404, {"sourceId": "source-2"}),
        (422, {"sourceId": ""}),
    ],
)
def test_a_question_is_held_to_the_documentation(status: int, changed: dict[str, str]) -> None:
    with PublicApiServer(clock=lambda: NOW) as server:
        assert ask(server, changed).status_code == status


def test_routes_methods_and_tokens_are_held_to_the_documentation() -> None:
    with PublicApiServer(clock=lambda: NOW) as server:
        assert ask(server, {}, FILTERED).status_code == 200
        assert ask(server, {}, "received").status_code == 404
        assert ask(server, {}, path=f"/v1/delivery-overview/{RECEIVED}").status_code == 404
        assert ask(server, {}, method="POST").status_code == 405
        for authorization in ("", "test-token", "Basic test-token", "Bearer other-token"):
            assert ask(server, {}, authorization=authorization).status_code == 401


def test_too_many_requests_get_the_time_to_wait() -> None:
    with PublicApiServer(clock=lambda: NOW, requests_a_minute=2) as server:
        answers = [ask(server, {}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["X-RateLimit-Reset"] == "Mon, 02 Mar 2026 12:31:00 GMT"
    assert answers[2].json()["errors"][0]["data"]["msBeforeNext"] == 60_000
