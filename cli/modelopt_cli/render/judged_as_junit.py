"""JUnit XML, which GitLab, Jenkins and others show as tests: a case a limit and file."""

from __future__ import annotations

from typing import cast
from xml.etree import ElementTree

from modelopt_cli.printable import printable
from modelopt_cli.render.base import Look, Result
from modelopt_cli.render.judged import Finding, Judged

FOR_FILES = True
SUFFIX = ".xml"


def render(result: Result, look: Look) -> str:
    """One suite; a gate without anything to compare with yet is a skipped case."""
    findings = cast(Judged, result).findings()
    counts = {
        "tests": len(findings),
        "failures": sum(one.status == "fail" for one in findings),
        "errors": 0,
        "skipped": sum(one.status == "new" for one in findings),
    }
    said = {"name": "modelopt", **{key: str(count) for key, count in counts.items()}}
    suites = ElementTree.Element("testsuites", said)
    suite = ElementTree.SubElement(suites, "testsuite", said)
    for finding in findings:
        _case(suite, finding)
    ElementTree.indent(suites)
    text = ElementTree.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _case(suite: ElementTree.Element, finding: Finding) -> None:
    place = {"file": finding.file, "line": finding.line}
    case = ElementTree.SubElement(
        suite,
        "testcase",
        # names of tensors may hold what XML has no way to write
        {"classname": printable(finding.subject), "name": printable(finding.title)}
        | {key: printable(str(value)) for key, value in place.items() if value is not None},
    )
    message = printable(finding.message)
    if finding.status == "fail":
        failure = ElementTree.SubElement(case, "failure", {"message": message, "type": "gate"})
        failure.text = message
    elif finding.status == "new":
        ElementTree.SubElement(case, "skipped", {"message": "not in the baseline yet"})
