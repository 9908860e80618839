"""deploy/quickstart goes its main way, offline, on this machine."""

import os
import subprocess
import tempfile

from deployment import SOURCE, WAIT_S

QUICKSTART = SOURCE / "deploy/quickstart"


def quickstart(*arguments, state):
    """In a state directory of its own; the build in build/release is shared, so that it is quick."""
    environment = {**os.environ, "NOROSHI_QUICKSTART_DIR": str(state)}
    return subprocess.run([QUICKSTART, *arguments], capture_output=True, text=True, timeout=WAIT_S * 20, check=False,
                          env=environment, stdin=subprocess.DEVNULL)


def test_quickstart_with_the_sample_shows_releases_and_stops():
    with tempfile.TemporaryDirectory(prefix="nrs-", dir="/tmp") as root:
        state = os.path.join(root, "q")
        try:
            done = quickstart("--sample", state=state)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "ncfta" in done.stdout.lower()
        finally:
            stopped = quickstart("--stop", "--clean", state=state)
        assert stopped.returncode == 0, stopped.stdout + stopped.stderr
