"""What spans have in common, for their compression: what is most frequent stands last, as zlib wants it."""

_NAMES = (
    "gate_recorder promoter sweeper helm_installer rollout_observer github_webhook circleci_webhook event_forwarder",
    "DynamoDB stream SNS SQS FIFO waiting for check for promotion record promotion webhook publish helm upgrade",
    "TemporaryFault PermanentFault deployed_to_staging deployed_to_production circle_ci_build_done approval_from_",
)
_FIELDS = (
    "error error_detail redriven messaging.attempt vcs.ref.head.revision vcs.repository.name cicd.pipeline.name",
    "deployment.environment.name wait.ended_by wait.known verified claimed unknown wait.who people pipeline wait.for",
    "messaging.destination.name messaging.operation.type messaging.message.id messaging.system aws_sqs aws.sns",
    "cloudevents.event_id cloudevents.event_source cloudevents.event_type cloudevents.event_subject",
    "cloudevents.event_spec_version gatestream.kind transit wait work span.kind server consumer producer client",
    "faas.trigger pubsub datasource http environment release generation decision repo commit",
)
_SPAN = (
    '"},{"time":"2026-11-27T09:59:04.383243Z","samplerate":1,"data":{"service_name":"gate_recorder",'
    '"service.name":"gate_recorder","meta.beeline_version":"3.6.0","meta.local_hostname":"169.254.100.1",'
    '"faas.invocation_id":"0b8dd2ee-1df3-4d0a-9cc6-9d9cbdd3a1a1","faas.coldstart":false,"name":"record",'
    '"trace.parent_id":"b8829ade099ce4bf","trace.span_id":"c00eb1b3cecd6801","meta.span_type":"subroot",'
    '"meta.span_type":"root","duration_ms":0.009000000000000001}}]'
)

DICTIONARY = " ".join((*_NAMES, *('":"'.join(names.split()) for names in _FIELDS), _SPAN)).encode()
