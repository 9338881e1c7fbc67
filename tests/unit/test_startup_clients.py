"""Clients of AWS are those that boto3 makes, only sooner."""

from __future__ import annotations

import boto3
import pytest
from botocore.exceptions import UnknownServiceError

from pipeline_state.settings import Settings
from pipeline_state.startup import Clients, aws_client

SERVICES = ("ecr", "kms", "s3", "secretsmanager", "sns", "sqs", "ssm")
REGION = "eu-central-1"


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_the_one_that_boto3_makes(service: str) -> None:
    ours, theirs = aws_client(service, Settings(aws_region=REGION)), boto3.client(service, region_name=REGION)  # type: ignore[call-overload]
    assert ours.meta.region_name == REGION
    assert ours.meta.endpoint_url == theirs.meta.endpoint_url
    assert ours.meta.service_model.api_version == theirs.meta.service_model.api_version


def test_its_calls_end_within_seconds() -> None:
    config = aws_client("sns", Settings()).meta.config
    assert (config.connect_timeout, config.read_timeout, config.retries["total_max_attempts"]) == (1, 2, 2)


def test_a_service_that_there_is_not_has_no_client() -> None:
    with pytest.raises(UnknownServiceError, match="'nope'"):
        aws_client("nope", Settings())


def test_a_client_is_made_once() -> None:
    clients = Clients(Settings())
    assert clients("sns") is clients("sns")
    assert clients("sns") is not clients("sqs")
