"""The codes of rows become events, are skipped, or put the row aside."""

from tests.support.export_folder import CODED, CODED_COLUMNS, Reader


def test_codes_become_events_are_skipped_or_are_put_aside(read: Reader) -> None:
    reading = read(
        "CUSTOMER,WHAT,OPENED_AT\n"
        "C-1,OPEN,2024-06-11T09:15:10\n"
        "C-1,CLICK,2024-06-11T09:15:10\n"
        "C-1,SENT,2024-06-11T09:15:10\n"
        "C-1,FWD,2024-06-11T09:15:10\n"
        "C-1,open,2024-06-11T09:15:10\n"
        "C-1,,2024-06-11T09:15:10\n",
        **CODED,
        columns=CODED_COLUMNS,
    )
    assert reading.counts == ("loaded", 6, 1, 3)
    assert reading.all("event_code", "event") == [
        ("OPEN", "Email Opened"),
        ("CLICK", "Email Link Clicked"),
        ("SENT", None),
        ("FWD", None),
        ("open", None),
        (None, None),
    ]
    assert reading.rejected == [
        (
            5,
            "unknown event code 'FWD' in column WHAT; list it in event_codes of layout opens",
            "C-1,FWD,2024-06-11T09:15:10",
        ),
        (
            6,
            "unknown event code 'open' in column WHAT; list it in event_codes of layout opens",
            "C-1,open,2024-06-11T09:15:10",
        ),
        (7, "no event code in column WHAT", "C-1,,2024-06-11T09:15:10"),
    ]


def test_a_code_that_is_not_listed_means_the_default_where_there_is_one(read: Reader) -> None:
    changes = CODED | {"event_codes_default": "Email Bounced", "columns": CODED_COLUMNS}
    reading = read(
        "CUSTOMER,WHAT,OPENED_AT\n" + "".join(f"C-1,{code},2024-06-11T09:15:10\n" for code in ["OPEN", "SENT", "FWD"]),
        **changes,
    )
    assert reading.counts == ("loaded", 3, 1, 0)
    assert reading.all("event") == ["Email Opened", None, "Email Bounced"]


def test_a_default_needs_no_listed_code(read: Reader) -> None:
    changes = CODED | {"event_codes": {}, "event_codes_default": "Email Bounced", "columns": CODED_COLUMNS}
    assert read("CUSTOMER,WHAT,OPENED_AT\nC-1,9,2024-06-11T09:15:10\n", **changes).all("event") == ["Email Bounced"]


def test_a_row_that_is_skipped_is_not_judged(read: Reader) -> None:
    reading = read("CUSTOMER,WHAT,OPENED_AT\n,SENT,nonsense\n", **CODED, columns=CODED_COLUMNS)
    assert reading.counts == ("loaded", 1, 1, 0)


def test_the_code_is_judged_before_the_date_time_and_the_date_time_before_the_person(read: Reader) -> None:
    reading = read("CUSTOMER,WHAT,OPENED_AT\n,FWD,nonsense\n,OPEN,nonsense\n", **CODED, columns=CODED_COLUMNS)
    assert [reason.split("'")[0] for reason in reading.reasons] == ["unknown event code ", "the date-time "]


def test_a_code_column_may_have_a_meaning_too(read: Reader) -> None:
    columns = {"CUSTOMER": "user_id", "WHAT": "link_name", "AT": "timestamp"}
    reading = read("CUSTOMER,What,AT\nC-1,CLICK,2024-06-11T09:15:10\n", **CODED, columns=columns)
    assert reading.all("event", "event_code", "link_name", "extra") == [
        ("Email Link Clicked", "CLICK", "CLICK", None),
    ]
