"""JUnit: a test case per rule, for the CI systems that read it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from turnlat.report import Case, Report
from turnlat.writers import Page
from turnlat.writers.cells import visible

_ELEMENTS = {"failed": "failure", "not judged": "error", "inconclusive": "skipped"}
"""What a case that did not pass holds."""

_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """One suite; schema: Jenkins' junit-10.xsd. It has no times, so that a repetition is equal."""
    verdicts = [case.verdict for case in report.cases]
    counts = {
        "tests": len(verdicts),
        "failures": verdicts.count("failed"),
        "errors": verdicts.count("not judged"),
    }
    totals = {name: str(number) for name, number in counts.items()}
    suites = ET.Element("testsuites", totals)
    skipped = {"skipped": str(verdicts.count("inconclusive"))}
    suite = ET.SubElement(suites, "testsuite", {"name": "turnlat check"} | totals | skipped)
    for case in report.cases:
        _case(suite, case)
    ET.indent(suites)
    content: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _case(suite: ET.Element, case: Case) -> None:
    names = {"name": _text(case.rule), "classname": f"turnlat.{case.kind}"}
    element = ET.SubElement(suite, "testcase", names)
    tag = _ELEMENTS.get(case.verdict)
    if tag is None:
        return
    kind = {} if tag == "skipped" else {"type": case.verdict.replace(" ", "_")}
    told = ET.SubElement(element, tag, kind | {"message": _text(case.sentence)})
    told.text = _text("\n".join([case.sentence, *case.places])) if case.places else None


def _text(text: str) -> str:
    """`text` without what XML cannot hold."""
    return _NO_XML.sub(lambda found: visible(found[0]), text)
