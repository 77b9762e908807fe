"""``whycycles site``: build, serve and publish the website."""

from __future__ import annotations

from pathlib import Path

import click

from engine import interrupt
from engine.cli.shell import Shell, progress_console

SITE = Path("site")


@click.group(cls=Shell)
def site() -> None:
    """Build, serve or publish the website."""


@site.command("build")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=SITE, show_default=True)
def build(out: Path) -> None:
    """Build the website from the committed records and the runs made on this machine."""
    from engine.pipeline.publication import gather
    from engine.site.build import build_site, check_replaceable

    check_replaceable(out)
    with progress_console().status("building the site") as status:
        found = gather(status.update)
        for line in found.left_out:
            click.echo(f"left out: {line}", err=True)
        report = build_site(
            found.records,
            out,
            boards=found.boards,
            models=found.models,
            ceilings=found.ceilings,
            analyses=found.analyses,
            validations=found.validations,
            layer_validations=found.layer_validations,
            other_kernels=found.other_kernels,
            others=found.others,
            progress=status.update,
        )
    what = "built" if report.rebuilt else "unchanged"
    click.echo(
        f"site {what}: {report.pages} pages, {report.charts} charts, {report.bytes / 1e6:.1f} MB: {out / 'index.html'}"
    )


@site.command("serve")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
def serve(port: int) -> None:
    """Serve the built website on this machine only."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    from engine.errors import UsageError

    if not (SITE / "index.html").is_file():
        raise UsageError("there is no site here yet", hint="build it with `whycycles site build`")
    handler = partial(SimpleHTTPRequestHandler, directory=str(SITE))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UsageError(f"port {port} cannot be used: {error.strerror}", hint="choose another with --port") from None
    with server:
        try:
            click.echo(f"http://127.0.0.1:{server.server_address[1]} (Ctrl-C ends)")
            server.serve_forever()
        except KeyboardInterrupt:
            interrupt.answered()
            click.echo("")


@site.command("publish")
@click.argument("version")
@click.option("--branch", default="gh-pages", show_default=True)
def publish(version: str, branch: str) -> None:
    """Commit the built website as VERSION to a branch, beside the versions that are there. Nothing is pushed."""
    from engine.site.publish import publish as publish_site

    with progress_console().status(f"publishing {version}") as status:
        found = publish_site(version, branch=branch, progress=status.update)
    click.echo(
        f"branch {found.branch} holds {', '.join(found.versions)}; push it with `git push origin {found.branch}`"
    )
