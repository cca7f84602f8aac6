"""A sheet of labels with claim codes, to print: one page that needs nothing else."""

from collections.abc import Iterable
from html import escape

from parvis.fleet.joining.claims import Issued

_STYLE = """
@page { margin: 10mm }
body { font: 9pt/1.35 system-ui, sans-serif; margin: 0; color: #000; background: #fff }
h1 { font-size: 12pt; margin: 0 0 4mm }
ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(62mm, 1fr)); gap: 3mm; margin: 0; padding: 0 }
li { list-style: none; display: flex; gap: 1mm; align-items: center; border: 0.2mm dashed #777; padding: 1mm 2mm 1mm 0;
  break-inside: avoid }
svg { width: 26mm; height: 26mm; flex: none }
p { margin: 0; overflow-wrap: anywhere }
.code { font: 600 9.5pt ui-monospace, monospace; white-space: nowrap }
@media screen { body { margin: 5mm } }
"""


def render_labels(batch: str, labels: Iterable[tuple[Issued, str]]) -> str:
    """`labels` are codes with what their QR says."""
    items = "\n".join(_label(issued, text) for issued, text in labels)
    title = escape(batch)
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>\n'
        f"<body><h1>{title}</h1>\n<ul>\n{items}\n</ul></body></html>\n"
    )


def _label(issued: Issued, text: str) -> str:
    told = (
        issued.entry.name,
        issued.entry.hardware_id,
        issued.entry.serial_number,
        issued.entry.model or issued.entry.profile,
    )
    lines = "".join(f"<p>{escape(line)}</p>" for line in told if line)
    return f'<li>{qr_svg(text)}<div><p class="code">{escape(issued.code)}</p>{lines}</div></li>'


def qr_svg(text: str) -> str:
    """Error correction M: a label that is a little worn is still read. The library is loaded when one is made."""
    import segno

    svg: str = segno.make_qr(text, error="m").svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None)
    return svg
