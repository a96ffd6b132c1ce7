"""Attacks by a deploy test on the pipe that runs it, as root and as another user."""

from __future__ import annotations

import uuid

import pytest

from tests.container.bitbucket import USERS, Agent, variables
from tests.container.test_deploy import wait_until
from tests.sandbox import Behaviour, Server
from tests.support.environment import NEW_IMAGE

pytestmark = [pytest.mark.container, pytest.mark.slow]

PIPE = "/usr/local/lib/python3.13/site-packages/pipe"
MEMORY = "--memory=1g"

READ_THE_PIPE = """
for pid in 1 $PPID; do
  for file in environ mem maps auxv fd/1 fd/2 root/etc/hosts cwd/given; do
    head -c 1 /proc/$pid/$file >/dev/null 2>&1 && echo "READ /proc/$pid/$file"
  done
  (echo forged >/proc/$pid/fd/1) 2>/dev/null && echo "WROTE /proc/$pid/fd/1"
  (echo forged >/proc/$pid/mem) 2>/dev/null && echo "WROTE /proc/$pid/mem"
done
grep -E '^(CapPrm|CapEff|CapInh|CapAmb|NoNewPrivs)' /proc/self/status | tr -d '\\t' | tr '\\n' ' '
echo
python3 - <<'END'
import ctypes
for pid in (1,):
    if ctypes.CDLL(None).ptrace(16, pid, 0, 0) == 0:
        print("ATTACHED", pid)
END
cat given; echo written >made; mkdir -p below && echo written >below/made; echo x >/tmp/made
echo end
"""

REWRITE_THE_PIPE = f"""
for file in {PIPE}/report/junit.py {PIPE}/report/__pycache__ {PIPE}/x /usr/local/bin/x /etc/x /x \\
    /usr/local/lib/python3.13/x /etc/ssl/certs/ca-certificates.crt /root/.docker; do
  (rm -rf $file; echo 'raise SystemExit(0)' >>$file) 2>/dev/null && echo "WROTE $file"
  chmod 777 $file 2>/dev/null && echo "CHANGED $file"
done
for link in /bin /lib /lib64 /usr /etc; do
  mv $link $link.old 2>/dev/null && echo "MOVED $link"
done
echo end
"""


@pytest.mark.parametrize(
    ("user", "more"),
    [
        *((user, ()) for user in USERS),
        *((user, ("--cap-add=SYS_PTRACE",)) for user in USERS),
        # Another user's init has the same environment, and the pipe cannot protect it.
        (USERS[0], ("--init",)),
    ],
)
def test_a_test_cannot_read_the_pipe(
    agent: Agent, server: Server, user: str, more: tuple[str, ...]
) -> None:
    """Environment, memory and open files are closed to it; the clone folder is not."""
    (agent.clone / "given").write_text("from the clone\n")
    (agent.clone / "attack.sh").write_text(READ_THE_PIPE)
    run = agent.run(
        variables(server, PRE_DEPLOY_TEST="sh attack.sh"), [MEMORY, f"--user={user}", *more]
    )
    assert run.code == 0, run.text
    assert "PRE_DEPLOY_TEST | end" in run.text
    for word in ("READ", "WROTE", "ATTACHED", "forged"):
        assert word not in run.text, run.text
    none = "0000000000000000"
    assert f"CapInh:{none} CapPrm:{none} CapEff:{none} CapAmb:{none} NoNewPrivs:1" in run.text
    assert "PRE_DEPLOY_TEST | from the clone" in run.text
    for name in ("made", "below/made"):
        assert (agent.clone / name).read_text() == "written\n"


@pytest.mark.parametrize("user", USERS)
def test_the_environment_of_the_process_holds_no_secret(
    agent: Agent, server: Server, user: str
) -> None:
    """Its text is erased, so that not even a privileged process of the machine finds it there."""
    server.world.rollout_seconds = 6
    name = f"pipe-{uuid.uuid4().hex[:8]}"
    open_to_root = (f"--name={name}", "--cap-add=SYS_PTRACE")
    line = agent.command(variables(server), [MEMORY, f"--user={user}", *open_to_root])
    agent.docker("run", "--detach", *line[2:])
    try:
        wait_until(server.world.writes)
        read = "tr '\\0' '\\n' </proc/1/environ"
        done = agent.docker("exec", "--user=0:0", name, "sh", "-c", read)
        assert "BITBUCKET_BUILD_NUMBER=" in done.stdout, done.stderr
        assert server.world.token not in done.stdout
        assert "internal-token" not in done.stdout
    finally:
        agent.docker("rm", "--force", name)


@pytest.mark.parametrize("user", USERS)
def test_a_test_cannot_rewrite_the_pipe(agent: Agent, server: Server, user: str) -> None:
    """Neither a module that is loaded later nor a library, and a failed rollout stays one."""
    server.world.behave(NEW_IMAGE, Behaviour("crash", log=["boom"], backoff=1.0))
    (agent.clone / "attack.sh").write_text(REWRITE_THE_PIPE)
    given = variables(server, PRE_DEPLOY_TEST="sh attack.sh", STABLE_SECONDS="1")
    run = agent.run(given, [MEMORY, f"--user={user}"])
    assert run.code == 10, run.text
    assert "PRE_DEPLOY_TEST | end" in run.text
    for word in ("WROTE", "CHANGED", "MOVED"):
        assert word not in run.text, run.text


@pytest.mark.parametrize("user", USERS)
def test_a_chain_of_forks_ends_with_its_test(agent: Agent, server: Server, user: str) -> None:
    """Not even one where each process leaves the group of the one before."""
    (agent.clone / "chain.py").write_text(FORK_CHAIN)
    server.world.rollout_seconds = 3
    text = "python3 chain.py; until [ -s forks ]; do sleep 0.05; done"
    run = agent.run(
        variables(
            server, PRE_DEPLOY_TEST=text, POST_DEPLOY_TEST="wc -c <forks; sleep 1; wc -c <forks"
        ),
        [MEMORY, f"--user={user}"],
    )
    assert run.code == 0, run.text
    first, second = [
        line.rpartition("|")[2] for line in run.text.splitlines() if "POST_DEPLOY_TEST | " in line
    ]
    assert first == second
    assert not (agent.clone / "survived").exists()


FORK_CHAIN = """
import os, time
if os.fork():
    os._exit(0)
log = os.open("forks", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
os.dup2(log, 1)
os.dup2(log, 2)
end = time.monotonic() + 20
while time.monotonic() < end:
    os.setsid()
    os.write(log, b".")
    if os.fork():
        os._exit(0)
open("survived", "w")
"""
