"""Sessions that are made quickly are sessions like any."""

from typing import Any

import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from pipeline_state import aws


@pytest.mark.parametrize("service", ["dynamodb", "ecr", "eks", "s3", "secretsmanager", "sns", "sqs", "ssm", "sts"])
def test_a_client_is_made_of_the_same_model(service: str) -> None:
    session: Any = aws.session(region_name="eu-west-1")
    made = session.client(service)
    usual = botocore.session.Session().create_client(service, region_name="eu-west-1")
    assert made.meta.service_model.api_version == usual.meta.service_model.api_version
    assert made.meta.service_model.operation_names == usual.meta.service_model.operation_names
    assert made.meta.endpoint_url == usual.meta.endpoint_url


def test_all_services_are_known_that_botocore_knows() -> None:
    assert set(botocore.session.Session().get_available_services()) <= set(aws.session().get_available_services())


def test_what_is_no_service_is_refused() -> None:
    session: Any = aws.session(region_name="eu-west-1")
    with pytest.raises(UnknownServiceError, match="dynamobd"):
        session.client("dynamobd")


def test_sessions_share_no_credentials() -> None:
    first, second = (aws.session(aws_access_key_id=name, aws_secret_access_key="worth nothing") for name in "ab")
    keys = [session.get_credentials() for session in (first, second)]
    assert [each and each.access_key for each in keys] == ["a", "b"]
