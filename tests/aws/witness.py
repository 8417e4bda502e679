"""A second opinion on what is in the cloud: reads calls from standard input, one in a line, as
[service, method, arguments, credentials or null], and answers each with a line: {"ok": ...} or {"error": code}."""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ADMINISTRATOR = {"aws_access_key_id": "AKIAWITNESS000000000", "aws_secret_access_key": "witness"}
CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"})


ADMINISTRATORS = {}


def client_of(endpoint, service, credentials):
    if credentials is None and service in ADMINISTRATORS:
        return ADMINISTRATORS[service]
    client = boto3.client(
        service, endpoint_url=endpoint, region_name="us-east-1", config=CONFIG, **(credentials or ADMINISTRATOR)
    )
    if credentials is None:
        ADMINISTRATORS[service] = client
    return client


def answer(endpoint, service, method, arguments, credentials):
    client = client_of(endpoint, service, credentials)
    try:
        if client.can_paginate(method):
            return {"ok": client.get_paginator(method).paginate(**arguments).build_full_result()}
        return {"ok": getattr(client, method)(**arguments)}
    except ClientError as error:
        return {"error": error.response["Error"]["Code"]}


for line in sys.stdin:
    print(json.dumps(answer(sys.argv[1], *json.loads(line)), default=str), flush=True)
