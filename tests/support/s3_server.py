"""An S3 server on this machine (moto) with an empty bucket, and what the `lab` SDK needs to use it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: In a process of its own: the server's threads and warnings are none of the suite's. It ends with its input.
_SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class Bucket:
    """A bucket of the server.

    Args:
        home: for the files with the credentials.
        port: the server's.
        name: the bucket's.
    """

    def __init__(self, home: Path, port: str, name: str) -> None:
        import boto3  # type: ignore[import-not-found,import-untyped,unused-ignore]

        config, credentials = home / "aws-config", home / "aws-credentials"
        # The SDK names a profile of its own; older ones name none.
        place = f"region = us-east-1\nendpoint_url = http://127.0.0.1:{port}\n"
        keys = "aws_access_key_id = x\naws_secret_access_key = x\n"
        config.write_text(f"[default]\n{place}[profile transformerlab-s3]\n{place}")
        credentials.write_text(f"[default]\n{keys}[transformerlab-s3]\n{keys}")
        self.env = {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(credentials)}
        self.env |= {"AWS_EC2_METADATA_DISABLED": "true", "TFL_STORAGE_URI": f"s3://{name}"}
        self.env["TFL_REMOTE_STORAGE_ENABLED"] = "true"
        self.name = name
        self._client: Any = boto3.client(
            "s3",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        self._client.create_bucket(Bucket=name)

    def fill(self, folder: Path, *, below: str = "") -> None:
        """Makes the bucket, or what is below a prefix of it, hold what a folder holds."""
        for file in folder.rglob("*"):
            if file.is_file():
                key = below + file.relative_to(folder).as_posix()
                self._client.put_object(Bucket=self.name, Key=key, Body=file.read_bytes())

    def put(self, key: str, data: bytes) -> None:
        """Makes an object."""
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def remove(self, key: str) -> None:
        """Removes an object."""
        self._client.delete_object(Bucket=self.name, Key=key)

    def copy_to(self, folder: Path, *, below: str = "") -> None:
        """Makes a folder hold what the bucket holds, or what is below a prefix of it."""
        shutil.rmtree(folder)
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=below):
            for item in page.get("Contents", ()):
                file = folder / item["Key"].removeprefix(below)
                file.parent.mkdir(parents=True, exist_ok=True)
                self._client.download_file(self.name, item["Key"], str(file))

    def refuse(self, ending: str) -> None:
        """From now on no object may be written whose key ends so."""
        resource = f"arn:aws:s3:::{self.name}/*{ending}"
        rule = f'{{"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "{resource}"}}'
        self._client.put_bucket_policy(Bucket=self.name, Policy=f'{{"Version": "2012-10-17", "Statement": [{rule}]}}')


@contextmanager
def s3_server() -> Iterator[str]:
    """The port of a server that runs as long as the block lasts."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
