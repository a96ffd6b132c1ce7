"""Run the sandbox interactively: `python -m tests.sandbox`."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from shlex import quote

from pipe.clock import SystemClock
from tests.sandbox import RequestRecord, Server, World, create_app
from tests.sandbox.demo import seed_demo
from tests.sandbox.kubernetes.server import KubernetesServer


def main() -> None:
    """Serve the demo tenant until interrupted."""
    options = _options()
    world = World(SystemClock(), portal="old" if options.old else "new")
    seed_demo(world)
    world.listeners.append(_print_write)
    app = create_app(world, seed=seed_demo)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with ExitStack() as running:
        if options.kubernetes:
            running.enter_context(KubernetesServer(world, host=options.host))
        server = running.enter_context(
            Server(world, tls=options.tls, host=options.host, port=options.port, app=app)
        )
        print(_welcome(world, server), flush=True)
        if options.ready_file is not None:
            # Renamed into place, so that a reader never sees half of it.
            draft = options.ready_file.with_name(f"{options.ready_file.name}.part")
            draft.write_text(f"{server.url}\n", encoding="utf-8")
            draft.replace(options.ready_file)
        done.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8181, help="0 takes any free port")
    parser.add_argument("--tls", type=Path, metavar="DIR", help="serve https; DIR receives ca.pem")
    parser.add_argument("--old", action="store_true", help="a portal without the newer routes")
    parser.add_argument(
        "--kubernetes", action="store_true", help="hand out access to Kubernetes' own API"
    )
    parser.add_argument("--ready-file", type=Path, help="file for the address, written when ready")
    return parser.parse_args()


def _welcome(world: World, server: Server) -> str:
    tenant = world.tenant("dev01")
    trust = f" --cacert '{server.ca_path}'" if server.ca_path else ""
    return f"""The {world.portal} portal is listening on {server.url}
  token    {world.token}
  tenant   {tenant.name} ({tenant.id})
  cluster  {world.kubernetes.server if world.kubernetes.enabled else "no access"}
  images   team/web:1.4.2 runs; team/web:crash, :missing, :flaky-pull, :never-ready, :too-big fail
{f"  CA       {server.ca_path}" if server.ca_path else ""}
Try:
  curl{trust} {server.url}/sandbox/
  curl{trust} {server.url}/sandbox/state
  curl{trust} -H 'Authorization: Bearer {world.token}' {server.url}/admin/GetTenantsForUser
  DUPLO_HOST={server.url} DUPLO_TOKEN={world.token} TENANT=dev01 SERVICE=web \\
    IMAGE=team/web:1.4.2 {quote(sys.executable)} -m pipe

Writes appear below; Ctrl-C ends it."""


def _print_write(record: RequestRecord) -> None:
    """Print one line for each request that writes."""
    if record.writes:
        outcome = f"-> {record.status}" if record.status else "-> no response"
        fault = f" ({record.fault})" if record.fault else ""
        print(f"{record.method} {record.path} {record.body!r} {outcome}{fault}", flush=True)


if __name__ == "__main__":
    main()
