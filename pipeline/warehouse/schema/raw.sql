CREATE SCHEMA IF NOT EXISTS raw;

CREATE TABLE IF NOT EXISTS raw.origin (
    name VARCHAR,
    value VARCHAR
);

CREATE TABLE IF NOT EXISTS raw.export_files (
    export_date DATE,
    name VARCHAR,
    size BIGINT,
    sha256 VARCHAR,
    modified_at TIMESTAMPTZ,
    layout VARCHAR,
    layout_fingerprint VARCHAR,
    kind VARCHAR,
    exported_at TIMESTAMPTZ,
    status VARCHAR,
    reason VARCHAR,
    rows BIGINT,
    skipped BIGINT,
    rejected BIGINT,
    suppressed BIGINT,
    first_event_at TIMESTAMPTZ,
    last_event_at TIMESTAMPTZ,
    loaded_at TIMESTAMPTZ,
    records BIGINT,
    suspect_rows BIGINT,
    suspect_line BIGINT,
    load_number BIGINT
);

CREATE TABLE IF NOT EXISTS raw.events (
    export_date DATE,
    file VARCHAR,
    export VARCHAR,
    row_number BIGINT,
    layout VARCHAR,
    exported_at TIMESTAMPTZ,
    loaded_at TIMESTAMPTZ,
    user_id VARCHAR,
    email VARCHAR,
    selligent_user_id VARCHAR,
    email_id VARCHAR,
    email_subject VARCHAR,
    campaign_id VARCHAR,
    campaign_name VARCHAR,
    link_id VARCHAR,
    link_name VARCHAR,
    link_url VARCHAR,
    list_id VARCHAR,
    list_name VARCHAR,
    ip VARCHAR,
    user_agent VARCHAR,
    timestamp VARCHAR,
    event_id VARCHAR,
    send_id VARCHAR,
    is_bot VARCHAR,
    event_code VARCHAR,
    extra JSON,
    event VARCHAR,
    occurred_at TIMESTAMPTZ,
    time_note VARCHAR,
    properties JSON,
    unreadable_properties VARCHAR[],
    rejected_because VARCHAR
);

ALTER TABLE raw.events SET PARTITIONED BY (year(export_date), month(export_date));

CREATE TABLE IF NOT EXISTS raw.rejected_rows (
    export_date DATE,
    file VARCHAR,
    line BIGINT,
    reason VARCHAR,
    text VARCHAR,
    loaded_at TIMESTAMPTZ,
    layout VARCHAR
);

CREATE TABLE IF NOT EXISTS raw.lookups (
    export_date DATE,
    file VARCHAR,
    row_number BIGINT,
    kind VARCHAR,
    exported_at TIMESTAMPTZ,
    loaded_at TIMESTAMPTZ,
    email_id VARCHAR,
    email_subject VARCHAR,
    campaign_id VARCHAR,
    campaign_name VARCHAR,
    link_id VARCHAR,
    link_name VARCHAR,
    list_id VARCHAR,
    list_name VARCHAR,
    selligent_user_id VARCHAR,
    user_id VARCHAR,
    email VARCHAR,
    load_number BIGINT,
    traits JSON,
    unreadable_traits VARCHAR[],
    layout VARCHAR
);

CREATE TABLE IF NOT EXISTS raw.properties (
    event VARCHAR,
    name VARCHAR,
    column_name VARCHAR,
    type VARCHAR
);

CREATE TABLE IF NOT EXISTS raw.suppressed (
    kind VARCHAR,
    digest VARCHAR,
    through VARCHAR,
    listed_at TIMESTAMPTZ,
    modelled_at TIMESTAMPTZ,
    withdrawn_at TIMESTAMPTZ,
    listing VARCHAR
);
