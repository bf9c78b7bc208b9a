"""dlt's filesystem source, loaded into a DuckDB file: the usual way to load CSV with Python.

Both of its CSV readers are used as documented, with only the delimiter set. If pyarrow is installed (a dependency of
neither dlt nor this project), the faster reader is also tried with `use_pyarrow=True`.

The time includes `pipeline.run(...)`: extract, normalize, load. It excludes imports.
"""

import json
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.processes import Clone

READERS: dict[str, dict[str, Any]] = {
    "read_csv": {"sep": "|"},
    "read_csv_duckdb": {"delimiter": "|"},
    **({"read_csv_duckdb, pyarrow": {"delimiter": "|", "use_pyarrow": True}} if find_spec("pyarrow") else {}),
}


@dataclass(frozen=True)
class Dlt:
    """Seconds for a number of rows, and the peak memory of the process in MB."""

    rows: int
    seconds: float
    peak: int


def head_of(path: Path, folder: Path, rows: int) -> None:
    """Copy the header and the first rows of a file into another folder, under the same name."""
    folder.mkdir(exist_ok=True)
    with path.open("rb") as source, (folder / path.name).open("wb") as target:
        target.writelines(islice(source, rows + 1))


def measure(clone: Clone, reader: str, exports: Path) -> Dlt:
    """Load the file in a new process, with nothing left by an earlier one."""
    variables = {"DLT_DATA_DIR": str(clone.folder / "data" / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"}
    finished = clone.run([sys.executable, "-m", "benchmarks.compare_dlt", reader, str(exports)], variables)
    return Dlt(finished.answer["rows"], finished.answer["seconds"], finished.peak)


def main(reader: str, exports: str) -> None:
    """Load in the copy, and print rows and seconds."""
    import dlt
    from dlt.sources.filesystem import readers

    source = readers(bucket_url=exports, file_glob="*.csv")
    rows = source.resources[reader.split(",")[0]](**READERS[reader]).with_name("interactions")
    target = dlt.destinations.duckdb("data/dlt.duckdb")
    pipeline = dlt.pipeline("benchmark", destination=target, dataset_name="raw")
    started = time.perf_counter()
    pipeline.run(rows)
    seconds = time.perf_counter() - started
    with pipeline.sql_client() as client, client.execute_query("SELECT count(*) FROM interactions") as counted:
        loaded = counted.fetchall()[0][0]
    json.dump({"rows": loaded, "seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
