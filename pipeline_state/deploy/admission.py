"""What the API server itself says to a manifest: quota, admission, fields that others manage.

Helm's own `--dry-run=server` reads from the API server and writes nothing, not even for trial
(https://github.com/helm/helm/blob/v4.3.1/pkg/action/upgrade.go: it ends before the first apply), so that it accepts
what the upgrade is then refused for. kubectl sends each resource with dryRun=All, as the field manager that Helm is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline_state.deploy import documents, process
from pipeline_state.deploy.clusters import Access
from pipeline_state.deploy.documents import Document
from pipeline_state.deploy.words import scrub

_BLOCK = re.compile(r'^(?=Error from server|error: |The \S+ ".*" is invalid:)', re.MULTILINE)
_PREFIX = re.compile(r"^(?:Error from server(?: \(\w+\))?|error): ")
_WARNING = re.compile(r"^Warning: (.*)$", re.MULTILINE)
_ADVICE = re.compile(r"\nPlease review the fields above.*", re.DOTALL)
_NO_RIGHT = re.compile(r"cannot (?:patch|create|get) resource")
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """refusals: why an upgrade would fail, a sentence each. notes: warnings, and what could not be asked."""

    refusals: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks: the kubectl to run, the cluster, and all that the process knows of its environment."""

    kubectl: str
    access: Access
    environment: Mapping[str, str]


async def ask(asker: Asker, manifest: str, namespace: str, *, force: bool, seconds: float) -> Answer:
    """The API server's answer to all resources of the manifest, each for itself; nothing is written.

    namespace: the release's. force: whether fields that others manage are taken over. Raises PermanentFault for what
    is no YAML, OSError when there is no such kubectl.
    """
    known: documents.Known = {}
    documents.read(manifest, namespace, known)
    own = {text: found for text, found in known.items() if all(each.namespace in {"", namespace} for each in found)}
    foreign = {text: found for text, found in known.items() if text not in own}
    # kubectl takes --namespace for a bound: with it, resources that say another one are refused.
    answers = [
        await _asked(asker, part, [*target, *_flags(asker.access, force=force)], seconds)
        for part, target in ((own, [f"--namespace={namespace}"]), (foreign, []))
        if any(part.values())
    ]
    return Answer(
        tuple(refusal for answer in answers for refusal in answer.refusals),
        tuple(dict.fromkeys(note for answer in answers for note in answer.notes)),
    )


def read_answer(stdout: str, stderr: str, asked: Sequence[Document], secrets: Iterable[str] = ()) -> Answer:
    """What kubectl's output says. stdout: the names of what was taken, in the form "deployment.apps/web"."""
    hidden = tuple(secrets)
    blocks = [block for block in _BLOCK.split(stderr) if _BLOCK.match(block)]
    told = [scrub(_sentence(block), hidden) for block in blocks]
    refused = list(_left_out(asked, stdout.split()))
    names = refused if len(refused) == len(told) else []
    refusals, notes = [], [scrub(f"the API server warns: {warning}", hidden) for warning in _WARNING.findall(stderr)]
    for at, sentence in enumerate(told):
        if missing := re.search(r'namespaces "(.*?)" not found', sentence):
            notes.append(f"namespace {missing[1]} is not there yet, so that the API server could not be asked")
        elif _NO_RIGHT.search(sentence):
            notes.append(f"the API server was not asked about everything, since you may not: {sentence}")
        else:
            refusals.append(_named(sentence, names[at] if names else None))
    return Answer(tuple(refusals), tuple(dict.fromkeys(notes)))


def _sentence(block: str) -> str:
    """What kubectl says, without its prefix, its advice and warnings that came in between."""
    return _PREFIX.sub("", _ADVICE.sub("", _WARNING.sub("", block)).strip())


def _named(sentence: str, document: Document | None) -> str:
    """The sentence with the resource it is about, unless it names that itself."""
    if document is None or f'"{document.name}"' in sentence:
        return sentence
    return f"{document.kind}/{document.name}: {sentence}"


async def _asked(asker: Asker, part: Mapping[str, Sequence[Document]], flags: Sequence[str], seconds: float) -> Answer:
    ended = await process.run(
        [asker.kubectl, "apply", "--server-side", "--dry-run=server", "--output=name", "--filename=-", *flags],
        stdin="\n---\n".join(part).encode(),
        environment=asker.environment,
        seconds=seconds,
        grace=_GRACE,
    )
    if ended.stopped:
        return Answer(notes=(f"the API server did not answer kubectl within {seconds:.0f} s",))
    stdout, stderr = (text.decode(errors="replace") for text in (ended.stdout, ended.stderr))
    asked = [document for found in part.values() for document in found]
    answer = read_answer(stdout, stderr, asked, asker.access.secrets)
    if ended.code and not (answer.refusals or answer.notes):
        return Answer(notes=(f"kubectl could not ask the API server: {scrub(stderr.strip(), asker.access.secrets)}",))
    return answer


def _flags(access: Access, *, force: bool) -> list[str]:
    context = [f"--context={access.context}"] if access.context else []
    conflicts = ["--force-conflicts"] if force else []
    return ["--field-manager=helm", f"--kubeconfig={access.kubeconfig}", *context, *conflicts]


def _left_out(asked: Iterable[Document], taken: Iterable[str]) -> Iterator[Document]:
    left = Counter(taken)
    for document in asked:
        group = f".{document.key[0]}" if document.key[0] else ""
        name = f"{document.kind.lower()}{group}/{document.name}"
        left[name] -= 1
        if left[name] < 0:
            yield document
