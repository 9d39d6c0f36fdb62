"""Charts, HTML, Markdown and the terminal's table: what people see, made from the records alone."""

from harness.report.build import build
from harness.report.comparing import compare_page
from harness.report.index import index
from harness.report.terminal import terminal

__all__ = ["build", "compare_page", "index", "terminal"]
