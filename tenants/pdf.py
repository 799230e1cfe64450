"""Pages on paper: HTML to PDF by WeasyPrint, which needs the system's Pango and is loaded only when it is needed."""

from __future__ import annotations

from typing import Any, Final


class NoPdfError(RuntimeError):
    """PDFs cannot be made on this machine."""


PRINT: Final = """
@page { size: A4; margin: 16mm 15mm 18mm; @bottom-right { content: counter(page) " / " counter(pages); font-size: 8pt } }
body { font-family: "Inter", "Noto Sans", "Noto Sans CJK SC", sans-serif; font-size: 9.5pt; line-height: 1.4 }
h1 { font-size: 16pt; margin: 0 0 2mm } h2 { font-size: 12pt; margin: 0 0 1mm } h3 { font-size: 9.5pt; margin: 2mm 0 0 }
section { border-top: 0.4pt solid #888; padding: 4mm 0; break-inside: avoid-page }
table { width: 100%; border-collapse: collapse } thead { display: table-header-group } tr { break-inside: avoid }
th, td { text-align: left; vertical-align: top; padding: 0.7mm 2mm 0.7mm 0; border-bottom: 0.2pt solid #ccc; font-weight: normal }
thead th { font-weight: bold } .num { text-align: right } a { color: inherit }
ul { margin: 0; padding-left: 5mm } p { margin: 0 } .mute { color: #555 } .late { font-weight: bold }
"""


def as_pdf(html: str) -> bytes:
    """A page as PDF. Nothing outside of it is fetched.

    Raises NoPdfError when the libraries that draw it are not installed.
    """
    try:
        # Here, because it needs the system's Pango: all else works without.
        from weasyprint import CSS, HTML
    except OSError as error:
        raise NoPdfError(str(error)) from error
    document: bytes = HTML(string=html, url_fetcher=_nothing).write_pdf(stylesheets=[CSS(string=PRINT)])
    return document


def _nothing(url: str, *_args: Any, **_kwargs: Any) -> Any:
    raise ValueError(f"A page on paper fetches nothing: {url}")
