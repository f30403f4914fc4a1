"""`python -m services.ingest`: serve (the default), and the registers of departments and keys."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, NoReturn, TypeVar

import typer
from pydantic import ValidationError

from services.ingest.app import build
from services.ingest.keys import OtherDepartment, Register, Unit, UnknownDepartment
from services.ingest.settings import IngestSettings
from shared.mongo import Mongo, StoreUnavailable
from shared.publication import Department
from shared.telemetry import configure_logging
from shared.web import serve as serve_app

app = typer.Typer(help=__doc__, add_completion=False, pretty_exceptions_enable=False)
departments = typer.Typer(help="Who hands in.", no_args_is_help=True)
keys = typer.Typer(help="The keys that departments hand in with.", no_args_is_help=True)
app.add_typer(departments, name="departments")
app.add_typer(keys, name="keys")

T = TypeVar("T")


@app.callback(invoke_without_command=True)
def main(context: typer.Context) -> None:
    """Without a command: serve."""
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Take publications until told to stop."""
    settings = _settings()
    configure_logging("ingest", settings.log_level)
    serve_app(build(settings), host=settings.host, port=settings.port)


def _settings() -> IngestSettings:
    try:
        return IngestSettings()
    except ValidationError as error:
        first = error.errors()[0]
        _fail(f"{first['loc'][0]}: {first['msg']}")


def _with_register(work: Callable[[Register], Awaitable[T]]) -> T:
    settings = _settings()

    async def run() -> T:
        mongo = Mongo(settings.mongo_url.get_secret_value(), settings.database)
        try:
            register = Register(mongo.database)
            await register.prepare()
            return await work(register)
        finally:
            mongo.close()

    try:
        return asyncio.run(run())
    except StoreUnavailable as error:
        _fail(f"the database does not answer: {error}")


def _fail(text: str) -> NoReturn:
    typer.echo(f"ingest: {text}", err=True)
    raise typer.Exit(1)


@departments.command("add")
def add_department(
    id: Annotated[str, typer.Argument(help="Latin letters, digits and hyphens: `transport`.")],
    name: Annotated[str, typer.Argument(help="As people know it.")],
    communal_enterprise: Annotated[
        bool, typer.Option("--communal-enterprise", help="Not a structural unit of the council.")
    ] = False,
) -> None:
    """Add a department; `rename` gives one that is there another name."""
    department = _department(id, name)
    unit: Unit = "communal_enterprise" if communal_enterprise else "structural_unit"
    try:
        _with_register(lambda register: register.add_department(department, unit))
    except OtherDepartment as other:
        _fail(f"{department.id} is there already, as {other}; `departments rename` gives it another name")
    typer.echo(f"{department.id}  {department.name}")


@departments.command("rename")
def rename_department(
    id: Annotated[str, typer.Argument(help="The department's id.")],
    name: Annotated[str, typer.Argument(help="As people will know it from now on.")],
) -> None:
    """Give a department another name; what it handed in before keeps the old one."""
    department = _department(id, name)
    try:
        _with_register(lambda register: register.rename_department(department))
    except UnknownDepartment:
        _fail(f"no department {id}; `departments list` shows them")
    typer.echo(f"{department.id}  {department.name}")


def _department(id: str, name: str) -> Department:
    try:
        return Department(id=id, name=name)
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(f"{first['loc'][0]}: {first['msg']}") from None


@departments.command("list")
def list_departments() -> None:
    """A line a department: id, kind of unit, name."""
    for department, unit in _with_register(Register.departments):
        typer.echo(f"{department.id}  {unit}  {department.name}")


@keys.command("add")
def add_key(
    department: Annotated[str, typer.Argument(help="The department's id.")],
    label: Annotated[str, typer.Option(help="Who will use it.")] = "",
) -> None:
    """Make a key. It is shown this once, and kept as a hash."""
    try:
        typer.echo(_with_register(lambda register: register.make_key(department, label)))
    except UnknownDepartment:
        _fail(f"no department {department}; `departments list` shows them")


@keys.command("list")
def list_keys() -> None:
    """A line a key: id, department, when it was made, whether it is revoked, whose it is."""
    for key in _with_register(Register.keys):
        state = "valid" if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d}"
        typer.echo(f"{key.id}  {key.department}  {key.created_at:%Y-%m-%d}  {state}  {key.label}")


@keys.command("revoke")
def revoke_key(id: Annotated[str, typer.Argument(help="As `keys list` shows it.")]) -> None:
    """Make a key useless, within five seconds everywhere."""
    if not _with_register(lambda register: register.revoke(id)):
        _fail(f"no valid key {id}")
    typer.echo(f"revoked: {id}")


if __name__ == "__main__":
    app()
