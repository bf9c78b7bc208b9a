"""A server on loopback that speaks S3."""

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

SECRET_KEY = "s3-hunter2"
_REGION = "eu-west-1"


@dataclass(frozen=True)
class S3:
    """The server, and the settings by which a process reaches it."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "zoe",
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": _REGION,
        }

    def in_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Have this process, and those that it starts, reach no other server."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            monkeypatch.delenv(name)
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=_REGION,
            aws_access_key_id="zoe",
            aws_secret_access_key=SECRET_KEY,
        )

    def bucket(self, name: str) -> str:
        """A new and empty bucket; its whole name."""
        whole = f"{name}-{uuid4().hex}"[:63]
        self.client.create_bucket(Bucket=whole, CreateBucketConfiguration={"LocationConstraint": _REGION})
        return whole

    def keys(self, bucket: str) -> set[str]:
        """The objects in a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return {found["Key"] for page in pages for found in page.get("Contents", [])}


@contextmanager
def s3_server() -> Iterator[S3]:
    """A server for the block."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3(f"http://{host}:{port}")
    finally:
        server.stop()
