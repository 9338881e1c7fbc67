from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from pynamodb.exceptions import PynamoDBException

from pipeline_state.cli import console
from pipeline_state.faults import TemporaryFault
from pipeline_state.table.transaction import DeniedError, fault, is_refusal

SILENCE = [ReadTimeoutError, ConnectionClosedError, EndpointConnectionError]


@pytest.mark.parametrize("silence", SILENCE)
def test_a_call_that_nobody_answers_is_neither_refused_nor_hopeless(silence: type[BotoCoreError]) -> None:
    error = PynamoDBException("failed", silence(endpoint_url="https://dynamodb"))
    found = fault(error)
    assert not is_refusal(error)
    assert isinstance(found, TemporaryFault)
    assert found.reason == f"DynamoDB did not take the request: {silence.__name__}"


def test_who_may_not_is_told_in_the_words_of_aws_and_what_to_look_at() -> None:
    told = "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: dynamodb:UpdateItem"
    answer: Any = {"Error": {"Code": "AccessDeniedException", "Message": told}}
    found = fault(PynamoDBException("failed", ClientError(answer, "TransactWriteItems")))
    assert isinstance(found, DeniedError)
    line, code = console.told(found) or ("", 0)
    assert code == console.NO
    assert line.endswith(f"(AccessDeniedException): {told}; check credentials, --profile and --region")
