"""Types of options that several commands have."""

import click

DATE = click.DateTime(formats=["%Y-%m-%d"])
