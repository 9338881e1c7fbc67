import pytest
from botocore.exceptions import BotoCoreError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from pynamodb.exceptions import PynamoDBException

from pipeline_state.faults import TemporaryFault
from pipeline_state.table.transaction import fault, is_refusal

SILENCE = [ReadTimeoutError, ConnectionClosedError, EndpointConnectionError]


@pytest.mark.parametrize("silence", SILENCE)
def test_a_call_that_nobody_answers_is_neither_refused_nor_hopeless(silence: type[BotoCoreError]) -> None:
    error = PynamoDBException("failed", silence(endpoint_url="https://dynamodb"))
    found = fault(error)
    assert not is_refusal(error)
    assert isinstance(found, TemporaryFault)
    assert found.reason == f"DynamoDB did not take the request: {silence.__name__}"
