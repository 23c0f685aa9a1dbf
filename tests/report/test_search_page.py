import json
import re
from html.parser import HTMLParser

import pytest
from report_runs import Run, accuracy_over_beta, at_limit, blocked, failing, none_learned, paper_task

from lrsearch.report.export import chosen, to_yaml
from lrsearch.report.findings import findings
from lrsearch.report.numbers import metric_text, value_text
from lrsearch.report.pages.search import write_report
from lrsearch.report.sentences import sentence

VOID = {"meta", "br", "link", "input", "img", "hr"}


class Page(HTMLParser):
    """Checks that elements nest, and keeps their attributes and the text that is read."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.elements if found == tag]


def report_of(run: Run, folder):
    states = run.states().values()
    content = chosen(run.task, states, {"torch": "2.13.0"}, "3f9c0d", partial=True)
    return write_report(folder, run.task, states, content), content


def page_of(run: Run, folder) -> tuple[Page, str]:
    report_of(run, folder)
    text = (folder / "report.html").read_text()
    return Page(text), text


def without_scripts(text: str) -> str:
    """Leave out what draws: D3 and Plot name namespaces and their own addresses."""
    return re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)


def test_what_is_written(finished, tmp_path):
    files, _ = report_of(finished, tmp_path / "new")
    searches = ("sgd-lr", "adam-lr", "cprop_sgd-cprop.c")
    pictures = [f"{search}-{kind}.png" for search in searches for kind in ("curves", "ladder")]
    assert [path.name for path in files] == ["report.html", *pictures]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(path.name for path in files)


def test_the_page_holds_every_number_and_sentence(finished, tmp_path):
    page, _ = page_of(finished, tmp_path)
    words = " ".join(" ".join(page.words).split())
    for state in finished.states().values():
        assert sentence(finished.task, state).removeprefix(str(state.search)).strip() in words
        for finding in findings(finished.task, state):
            assert value_text(finding.value) in words
            assert finding.words in words
            if finding.mean is not None:
                assert metric_text(finding.mean) in words


def test_the_verdicts_come_first_then_the_values_then_the_evidence(finished, tmp_path):
    page, _ = page_of(finished, tmp_path)
    order = [
        attributes.get("id") or attributes.get("class")
        for tag, attributes in page.elements
        if tag in ("ul", "h2")
    ]
    assert order == ["verdicts", "values", "sgd-lr", "skipped", "adam-lr", "cprop_sgd-cprop.c"]


def test_the_yaml_in_the_page_is_that_of_the_file(finished, tmp_path):
    _, content = report_of(finished, tmp_path)
    page = Page((tmp_path / "report.html").read_text())
    assert to_yaml(content) in "".join(page.words)


def test_the_page_names_no_address_and_loads_nothing(finished, tmp_path):
    page, text = page_of(finished, tmp_path)
    text = without_scripts(text)
    assert "//" not in text
    assert not {"link", "img", "iframe", "object"} & {tag for tag, _ in page.elements}
    targets = [a[key] for _, a in page.elements for key in ("href", "src", "xlink:href") if key in a]
    assert all(target.startswith("#") for target in targets)
    assert not re.search(r"url\((?!#)|@import", text)


def test_the_page_may_ask_for_nothing(finished, tmp_path):
    page, _ = page_of(finished, tmp_path)
    policy = next(a["content"] for a in page.attributes("meta") if "http-equiv" in a)
    assert policy.startswith("default-src 'none';")


def test_each_chart_has_its_data(finished, tmp_path):
    page, text = page_of(finished, tmp_path)
    data = json.loads(re.search(r'id="charts">(.*?)</script>', text, re.DOTALL)[1])
    places = [a["data-chart"] for a in page.attributes("figure") if "data-chart" in a]
    assert places
    assert places == [chart["slug"] for chart in data]


def test_what_is_linked_is_there_and_ids_are_unique(finished, tmp_path):
    page, _ = page_of(finished, tmp_path)
    ids = [a["id"] for _, a in page.elements if a.get("id")]
    by_name = [
        i
        for i in ids
        if not i.startswith(("text_", "patch_", "line2d_", "axes_", "figure_", "xtick", "ytick"))
    ]
    targets = {a[key][1:] for _, a in page.elements for key in ("href", "xlink:href") if key in a}
    assert targets <= set(ids)
    assert len({i for i in by_name if i in targets}) == sum(i in targets for i in by_name)


def test_pictures_have_words_and_tables_have_heads(finished, tmp_path):
    page, text = page_of(finished, tmp_path)
    pictures = [a for a in page.attributes("div") if a.get("role") == "img"]
    assert len(pictures) == 6
    assert "0.03: 0.3888 ± 0.0123, chosen" in pictures[0]["aria-label"]
    heads = page.attributes("th")
    assert heads
    assert all(head.get("scope") in ("row", "col") for head in heads)
    assert page.attributes("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.attributes("meta")
    assert "prefers-color-scheme: dark" in text


def test_every_colour_that_is_used_is_defined_for_light_and_for_dark(finished, tmp_path):
    _, text = page_of(finished, tmp_path)
    light, dark = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    used = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert used <= set(re.findall(r"(--[\w-]+):", light))
    assert used <= set(re.findall(r"(--[\w-]+):", dark))


@pytest.mark.parametrize("make", [at_limit, none_learned, failing, blocked, accuracy_over_beta])
def test_a_study_that_did_not_go_well_has_a_page_too(make, tmp_path):
    run = make()
    page, _ = page_of(run, tmp_path)
    words = " ".join("".join(page.words).split())
    for state in run.states().values():
        assert sentence(run.task, state, run.states()) in words


def test_a_study_that_has_not_begun_has_a_page_without_pictures(tmp_path):
    run = Run(paper_task())
    files, _ = report_of(run, tmp_path)
    assert [path.name for path in files] == ["report.html"]
    assert "<svg" not in without_scripts(files[0].read_text())


def test_what_a_user_named_cannot_break_the_page(tmp_path):
    run = Run(paper_task(name="<script>alert(1)</script> & $x", workload="a<b>.py:f")).go(evaluations=4)
    _, text = page_of(run, tmp_path)
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; $x" in text
