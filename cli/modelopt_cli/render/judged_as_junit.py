"""JUnit XML, which GitLab, Jenkins and others show as tests: a case a limit and file.

They know a case by the pair of its classname and name; of several with the same pair GitLab shows
the first only ("Unit test reports" in its documentation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import cast
from xml.etree import ElementTree

from compress_core.errors import ModelOptError
from modelopt_cli.printable import printable
from modelopt_cli.render.base import Look, Result
from modelopt_cli.render.judged import Finding, Judged

FOR_FILES = True
SUFFIX = ".xml"


def render(result: Result, look: Look) -> str:
    """One suite; a gate without anything to compare with yet is a skipped case."""
    findings = cast(Judged, result).findings()
    suite = _suite(
        tests=len(findings),
        failures=sum(one.status == "fail" for one in findings),
        skipped=sum(one.status == "new" for one in findings),
    )
    for finding, name in zip(findings, _names(findings), strict=True):
        _case(suite, finding, name)
    return _text(suite)


def without_verdict(error: ModelOptError) -> str:
    """A suite of one case, which says why there is no verdict: no suite would look like a pass."""
    suite = _suite(tests=1, errors=1)
    case = ElementTree.SubElement(suite, "testcase", {"classname": "modelopt", "name": "check"})
    said = {"message": printable(str(error)), "type": type(error).__name__}
    ElementTree.SubElement(case, "error", said).text = printable(error.hint or "")
    return _text(suite)


def _suite(
    *, tests: int, failures: int = 0, errors: int = 0, skipped: int = 0
) -> ElementTree.Element:
    counts = {"tests": tests, "failures": failures, "errors": errors, "skipped": skipped}
    said = {"name": "modelopt", **{key: str(count) for key, count in counts.items()}}
    return ElementTree.Element("testsuite", said)


def _text(suite: ElementTree.Element) -> str:
    suites = ElementTree.Element("testsuites", suite.attrib)
    suites.append(suite)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _names(findings: Sequence[Finding]) -> Iterator[str]:
    """Names that no two cases of one file have in common; what is said twice gets a number."""
    seen: Counter[tuple[str, str]] = Counter()
    for finding in findings:
        name = " ".join(filter(None, (finding.title, finding.limit)))
        seen[finding.subject, name] += 1
        count = seen[finding.subject, name]
        yield name if count == 1 else f"{name} ({count})"


def _case(suite: ElementTree.Element, finding: Finding, name: str) -> None:
    place = {"file": finding.file, "line": finding.line}
    case = ElementTree.SubElement(
        suite,
        "testcase",
        # names of tensors may hold what XML has no way to write
        {"classname": printable(finding.subject), "name": printable(name)}
        | {key: printable(str(value)) for key, value in place.items() if value is not None},
    )
    message = printable(finding.message)
    if finding.status == "fail":
        failure = ElementTree.SubElement(case, "failure", {"message": message, "type": "gate"})
        failure.text = message
    elif finding.status == "new":
        ElementTree.SubElement(case, "skipped", {"message": "not in the baseline yet"})
