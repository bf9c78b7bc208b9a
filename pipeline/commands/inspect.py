"""`python -m pipeline inspect`: a draft of the layout of an unknown export."""

import click

from pipeline.settings import export_credentials, load_settings


@click.command()
@click.argument("file")
def inspect(file: str) -> None:
    """Draft the layout of an unknown export FILE (a path or a URL): YAML, with a comment on every guess."""
    export_credentials()
    from pipeline.layout_drafting.inspection import inspect as draft_of

    click.echo(draft_of(file, lambda: load_settings().pgp_key), nl=False)
