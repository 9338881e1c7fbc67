"""What spans have in common, for their compression: spans of a commit's usual way, without what differs in each.

It lies in each store, so that stores made with another one stay readable. A span that is not like these takes more
room, and that is all. Frequent ones stand last: zlib refers to what is near by fewer bits.
"""

_ABOUT = (
    '"vcs.owner.name":"octo-org","vcs.repository.name":"octo-repo","vcs.ref.head.revision":"","repo":"octo-org/octo-repo",'
    '"commit":"","meta.span_type":"root","name":"commit","duration_ms":0.0'
)
_EVENT = (
    '"cloudevents.event_id":"","cloudevents.event_source":"https://github.com/octo-org/octo-repo",'
    '"cloudevents.event_type":"com.github.push","cloudevents.event_subject":"refs/heads/main",'
    '"cloudevents.event_spec_version":"1.0",'
    '"vcs.owner.name":"octo-org","vcs.repository.name":"octo-repo","vcs.ref.head.revision":""'
)
_SEND = (
    '"name":"send event","span.kind":"producer","messaging.system":"aws.sns","messaging.destination.name":"gatestream-'
)
_MESSAGE = (
    '"meta.span_type":"subroot","span.kind":"consumer","faas.trigger":"pubsub","messaging.attempt":1,'
    '"messaging.system":"aws_sqs","messaging.destination.name":"gatestream-'
)
_STREAM = (
    '"span.kind":"consumer","faas.trigger":"datasource","messaging.attempt":1,"db.system.name":"aws.dynamodb",'
    '"db.collection.name":"gatestream-Gates-'
)
_SPANS = (
    ("event_forwarder", '"name":"forward","error":"TemporaryFault","error_detail":"'),
    ("sweeper", '"error":"PermanentFault","error_detail":"","redriven":true,"name":"dead letter"'),
    ("rollout_observer", '"name":"observe","name":"look","name":"helm test","name":"helm rollback"'),
    ("circleci_webhook", '"gatestream.kind":"transit","name":"CircleCI \\u2192 API Gateway"'),
    (
        "circleci_webhook",
        (
            '"cloudevents.event_source":"https://app.circleci.com/pipelines/github/octo-org/octo-repo",'
            '"cloudevents.event_type":"com.circleci.workflow-completed","cloudevents.event_subject":"build-test"'
        ),
    ),
    ("github_webhook", '"gatestream.kind":"transit","name":"GitHub \\u2192 API Gateway"'),
    ("github_webhook", '"name":"verify signature"'),
    ("github_webhook", '"name":"make event"'),
    ("github_webhook", f'{_SEND}GitHubEvents-","messaging.operation.type":"send",{_EVENT}'),
    (
        "github_webhook",
        (
            '"name":"webhook github","meta.span_type":"subroot","span.kind":"server","faas.trigger":"http",'
            f'"http.request.body.size":2794,{_EVENT},"http.response.status_code":202'
        ),
    ),
    ("helm_installer", '"name":"take lease","generation":1'),
    ("helm_installer", '"name":"chart","chart":"charts/web"'),
    ("helm_installer", '"name":"release look-up","release":"web","namespace":"staging","revisions":0'),
    (
        "helm_installer",
        (
            '"name":"helm upgrade","helm.flags":"web charts/web --history-max 10 --output json --timeout 300s --values '
            '- --create-namespace --description \'gatestream  sha256: val","helm.exit_code":0'
        ),
    ),
    ("helm_installer", '"name":"compare manifests"'),
    ("helm_installer", '"name":"give lease back"'),
    (
        "helm_installer",
        (
            f'{_SEND}DeploymentEvents-","messaging.operation.type":"send","cloudevents.event_id":"-started",'
            '"cloudevents.event_type":"dev.cdeventsx.gatestream-release.started.0.1.0","cloudevents.event_subject":"web"'
        ),
    ),
    ("helm_installer", '"cloudevents.event_id":"-deployed","cloudevents.event_type":"dev.cdevents.service.deployed"'),
    (
        "helm_installer",
        (
            f'"name":"install",{_MESSAGE}Installs.fifo","messaging.message.id":"","messaging.operation.type":"process",'
            '"cloudevents.event_source":"/gatestream/pipelines/octo-org%2Focto-repo/environments/staging",'
            '"cloudevents.event_type":"dev.cdeventsx.gatestream-release.promoted.0.1.0","cloudevents.event_subject":"@'
            ' \\u2192 staging","cicd.pipeline.name":"octo-org/octo-repo","deployment.environment.name":"staging",'
            '"release":"web","generation":1'
        ),
    ),
    (
        "helm_installer",
        (
            '"gatestream.kind":"transit","messaging.system":"aws_sqs","messaging.destination.name":"gatestream-Installs.fifo",'
            '"messaging.message.id":"","name":"SNS FIFO \\u2192 SQS FIFO"'
        ),
    ),
    ("promoter", _ABOUT),
    ("promoter", '"name":"note hand edit","gates":"approval_from_legal"'),
    (
        "promoter",
        (
            '"wait.for":"deployed_to_staging","wait.who":"pipeline","wait.ended_by":"gatestream","wait.known":"verified",'
            '"gatestream.kind":"wait","deployment.environment.name":"production",'
            '"name":"waiting for deployed_to_staging"'
        ),
    ),
    (
        "promoter",
        (
            '"wait.for":"circle_ci_build_done","wait.who":"ci","wait.ended_by":"circleci","wait.known":"claimed",'
            '"gatestream.kind":"wait","deployment.environment.name":"staging","name":"waiting for circle_ci_build_done"'
        ),
    ),
    ("promoter", '"wait.for":"approval_from_legal","wait.who":"people","wait.known":"unknown"'),
    ("promoter", '"name":"claim","span.kind":"client","db.system.name":"aws.dynamodb"'),
    ("promoter", f'{_SEND}PromotionEvents.fifo","messaging.operation.type":"send","cloudevents.event_id":""'),
    ("promoter", f'"gatestream.kind":"transit",{_STREAM}","name":"DynamoDB stream"'),
    (
        "promoter",
        (
            f'"name":"check for promotion","meta.span_type":"subroot",{_STREAM}","gates":"",'
            '"decision.staging":"Promoted","decision.production":"Wait"'
        ),
    ),
    (
        "gate_recorder",
        (
            '"gatestream.kind":"transit","messaging.system":"aws_sqs","messaging.destination.name":"gatestream-GateEvents-",'
            '"messaging.message.id":"","name":"SNS \\u2192 SQS"'
        ),
    ),
    ("gate_recorder", '"name":"write record","span.kind":"client","db.system.name":"aws.dynamodb"'),
    (
        "gate_recorder",
        (
            f'"name":"record gates",{_MESSAGE}GateEvents-","messaging.message.id":"",'
            f'"messaging.operation.type":"process",{_EVENT}'
        ),
    ),
)


def _item(service: str, fields: str) -> str:
    return (
        '{"time":"2026-11-27T09:59:04.383243Z","samplerate":1,"data":{'
        f'"service_name":"{service}","service.name":"{service}","meta.beeline_version":"3.6.0",'
        '"meta.local_hostname":"169.254.100.1","faas.invocation_id":"","faas.coldstart":false,'
        f'"trace.parent_id":"","trace.span_id":"",{fields},"duration_ms":0.579}}}},'
    )


DICTIONARY = "".join(_item(service, fields) for service, fields in _SPANS).encode()
