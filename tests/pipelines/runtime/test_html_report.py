from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipelines.runtime.html_report import label_color, render_report


def template(folder: Path, body: str) -> Path:
    path = folder / "template.html"
    path.write_text("{% extends 'base_report.html' %}{% block body %}" + body + "{% endblock %}")
    return path


def test_what_a_template_inserts_is_escaped(tmp_path: Path) -> None:
    html = render_report(template(tmp_path, "<p title='{{ name }}'>{{ name }}</p>"), name="<script>'\"&")
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") == 2 and "title='&lt;script&gt;&#39;" in html


def test_a_name_that_is_not_given_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UndefinedError, match="missing"):
        render_report(template(tmp_path, "{{ missing }}"))


def test_counts_and_images_are_written_as_html_has_them(tmp_path: Path) -> None:
    html = render_report(template(tmp_path, "{{ 1234567|count }} {{ jpeg|jpeg_source }}"), jpeg=b"\xff\xd8")
    assert "1,234,567 data:image/jpeg;base64,/9g=" in html


def test_a_label_has_one_color_whatever_its_case(tmp_path: Path) -> None:
    html = render_report(template(tmp_path, "{{ 'ANSWER'|label_color }}"))
    assert label_color("answer") in html and label_color("QUESTION") != label_color("ANSWER")
    assert label_color("total") == label_color("total")
