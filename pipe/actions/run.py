"""`ACTION: run`: one command inside the tenant, with a target's environment; nothing changes."""

from __future__ import annotations

import logging

from pipe.actions.base import BaseAction
from pipe.actions.session import Session, conceal, open_session
from pipe.deploy.tenant_commands import Subject, TenantCommands, remedy_of
from pipe.errors import CommandFailed, NotFound
from pipe.image import NONE
from pipe.jobs import TenantCommand
from pipe.kinds import open_drivers
from pipe.model import MAIN, Snapshot, Target
from pipe.settings.tenant_commands import shown

log = logging.getLogger(__name__)

NAME = "COMMAND"


class RunAction(BaseAction):
    """See `BaseAction`."""

    _commands: TenantCommands | None = None
    _command: TenantCommand | None = None

    def execute(self) -> str:
        """See `BaseAction`; raises `CommandFailed` if the command fails."""
        run = self._run
        session = open_session(run)
        self._commands = session.commands
        snapshot = self._find(session)
        conceal(run, snapshot.present.values())
        run.recorder.planned((), [snapshot])
        command = self._build(snapshot, self._image(session, snapshot))
        _log_plan(command)
        session.commands.runner.check_ready(command)
        if run.settings.dry_run:
            return "This was a dry run: nothing was run, and nothing was changed."
        run.save()
        run.notify_started()
        self._command = command
        result = session.commands.execute(command)
        run.recorder.tested(result)
        if not result.passed:
            remedy = remedy_of(result, command)
            raise CommandFailed(f"The command did not succeed: {NAME} {result.message}.", remedy)
        return (
            f"{NAME} {result.message}, in {command.image} with the environment of "
            f"{snapshot.target}."
        )

    def what_runs_now(self) -> str:
        """See `BaseAction`."""
        if self._commands is None or not self._commands.begun:
            return super().what_runs_now()
        state = f"No target was changed; what {NAME} did stays."
        return " ".join(filter(None, (state, self._commands.stopped)))

    def clean_up(self) -> None:
        """See `BaseAction`; until here a completed job is the proof that it ran."""
        if self._commands and self._command:
            self._commands.clear(self._command)

    def _find(self, session: Session) -> Snapshot:
        """Return the target whose environment the command gets; raise `NotFound`."""
        settings = self._run.settings
        target = settings.tenant_commands.target
        if target is None:
            raise TypeError(settings.action)
        drivers = open_drivers(session.tenant, self._run.dependencies.clock)
        found = drivers.read([target]).get(target)
        if found is None:
            noun, variable = target.kind.capabilities.noun, settings.targets_variable
            raise NotFound.named(noun, variable, target.name, tuple(drivers.names(target.kind)))
        return found

    def _image(self, session: Session, snapshot: Snapshot) -> str:
        """Return the image that is requested, once it is verified, or the one that runs."""
        requests = [
            request
            for request in self._run.settings.image_requests
            if request.target == snapshot.target
            and snapshot.container(request.container) == MAIN
            and request.image != NONE
        ]
        verified = session.verifier.resolve(requests)
        return next((str(request.image) for request in verified), snapshot.images[MAIN])

    def _build(self, snapshot: Snapshot, image: str) -> TenantCommand:
        wanted = self._run.settings.tenant_commands
        of = Subject(snapshot, image, snapshot.images[MAIN])
        environment = {"DEPLOY_IMAGE": image} if wanted.command else {}
        return of.command(
            NAME,
            wanted.command,
            key="run",
            seconds=wanted.seconds,
            environment=environment,
            once=True,
        )


def _log_plan(command: TenantCommand) -> None:
    target: Target = command.snapshot.target
    what = f"`{shown(command.command)}`" if command.command else "its own command"
    log.info(
        "Plan: %s: run %s in the tenant, in %s with the environment of %s",
        *(NAME, what, command.image, target),
    )
