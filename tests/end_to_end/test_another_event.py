"""An event is one entry of the catalog and one model file; everything else follows from these two."""

import json
from pathlib import Path

from tests.end_to_end.copying import copy_of_the_project
from tests.end_to_end.tiny_exports import CAMPAIGNS, LAYOUT, log

TABLE = "selligent_marketing_cloud.email_forwarded"


def test_a_seventh_event_is_modelled_delivered_and_reported(tmp_path: Path) -> None:
    copied = copy_of_the_project(tmp_path / "copy")
    catalog = copied.folder / "pipeline" / "catalog.py"
    entry = '    Event("Email Forwarded", (*EMAIL_PROPERTIES, "link_id"), "The recipient forwarded the email."),\n'
    catalog.write_text(catalog.read_text("utf-8").replace("EVENTS = (\n", f"EVENTS = (\n{entry}", 1), "utf-8")
    models = copied.folder / "dbt_project" / "models" / "segment"
    model = (models / "email_opened.sql").read_text("utf-8").replace("Email Opened", "Email Forwarded")
    (models / "email_forwarded.sql").write_text(model, "utf-8")

    layouts, exports = copied.folder / "layouts", copied.folder / "exports"
    layouts.mkdir()
    exports.mkdir()
    (layouts / "log.yml").write_text(LAYOUT.replace("{SENT:", "{FORWARD: Email Forwarded, SENT:"), "utf-8")
    (layouts / "campaigns.yml").write_text(CAMPAIGNS, "utf-8")
    rows = ["ann,m1,c1,FORWARD,l1,2024-06-10T08:00:00Z", "ann,m1,c1,VIEW,,2024-06-10T07:00:00Z"]
    (exports / "log_20240611.csv").write_text(log(rows), "utf-8")
    (copied.folder / ".env").write_text("SELLIGENT_EXPORTS=exports\nSELLIGENT_LAYOUTS=layouts\n", "utf-8")

    command = ".venv/bin/python -m pipeline"
    output = copied.sh(f"{command} run").stdout
    assert [line.split()[1:5] for line in output.splitlines() if line.startswith("email_forwarded")] == [
        ["1", "0", "1", "0"]
    ]
    query = f"SELECT event, event_text, user_id, link_id FROM {TABLE}"
    assert json.loads(copied.sh(f'{command} sql --format json "{query}"').stdout) == [
        {"event": "email_forwarded", "event_text": "Email Forwarded", "user_id": "ann", "link_id": "l1"}
    ]
    described = "SELECT count(*) AS columns, count(comment) AS described FROM duckdb_columns() WHERE table_name ="
    [columns] = json.loads(copied.sh(f"{command} sql --format json \"{described} 'email_forwarded'\"").stdout)
    assert columns["columns"] == columns["described"] > 20
    assert "email_forwarded_holds_its_events" in (copied.folder / "data" / "dbt" / "dbt.log").read_text("utf-8")
    bodies = [json.loads(path.read_text("utf-8")) for path in (copied.folder / "data" / "dry_run").rglob("*.json")]
    sent = {message["event"]: message["properties"] for body in bodies for message in body["batch"]}
    assert sent["Email Forwarded"] == {"email_id": "m1", "campaign_id": "c1", "link_id": "l1"}
    report = (copied.folder / "data" / "report" / "index.html").read_text("utf-8")
    assert '<th scope="row">forwarded</th>' in report
