"""`python -m pipeline inspect`: a draft of the layout of an unknown export, or the layout by questions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.finding import counted
from pipeline.settings import export_credentials, load_settings

if TYPE_CHECKING:
    from pipeline.exports.layouts import Layout


@click.command(short_help="Draft the layout of an unknown export.")
@click.argument("file")
@click.option("--write", is_flag=True, help="Ask what is open, write the layout, and show what becomes of the file.")
def inspect(file: str, write: bool) -> None:
    """Draft the layout of an unknown export FILE (a path or a URL): YAML, with a comment on every guess."""
    export_credentials()
    from pipeline.layout_drafting.inspection import inspect as draft_of

    if write and sys.stdin.isatty() and sys.stdout.isatty():
        _write(file)
        return
    click.echo(draft_of(file, lambda: load_settings().pgp_key), nl=False)


def _write(file: str) -> None:
    from pipeline.exports.layout_files import read_layout
    from pipeline.layout_drafting.dialogue import answered
    from pipeline.layout_drafting.draft import draft
    from pipeline.layout_drafting.inspection import inspected

    settings = load_settings()
    found = answered(inspected(file, lambda: settings.pgp_key), settings.selligent_layouts)
    path = _free_path(settings.selligent_layouts / f"{found.file_name.name}.yml")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draft(found), "utf-8")
    click.echo(f"\nWrote {path}.")
    layout = read_layout(path)  # raises LayoutError with what is still wrong; the file stays, to be edited
    click.echo("Trying it in a throw-away warehouse …")
    _show_trial(file, layout)
    click.echo("\nNext: edit the layout where a row is wrong; its last lines list what is left to decide.")


def _free_path(path: Path) -> Path:
    """The path of a layout that is new, or may be replaced."""
    while path.exists() and not click.confirm(f"{path} exists. Replace it?", default=False):
        path = path.with_name(click.prompt("Name of the file", default=f"{path.stem}_2.yml"))
    return path


def _show_trial(file: str, layout: "Layout") -> None:
    from rich.table import Table

    from pipeline.console import out
    from pipeline.layout_drafting.trial import trial

    settings = load_settings()
    done = trial(file, layout, settings, lambda: settings.pgp_key)
    out.print(done.sentence)
    for one in done.tables:
        table = Table(*one.columns, title=f"{one.name}: {counted(one.rows_in_all, 'row')}", title_justify="left")
        for row in one.rows:
            table.add_row(*row)
        out.print(table)
