-- What the PostgreSQL of compose.yaml executes when its volume is new: one database for each kind of record.
CREATE DATABASE lake;    -- the DuckLake's catalog: which Parquet files a table has
CREATE DATABASE ledger;  -- the state of each event: waiting, delivered, dead or held
CREATE DATABASE dagster; -- runs, logs, schedules and sensors
