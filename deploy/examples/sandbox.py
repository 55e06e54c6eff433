"""A sandbox to try clients on: an invented state, its agencies, and the program serving it. Nothing but the standard library."""

import contextlib
import json
import pathlib
import signal
import subprocess

STARTING_SECONDS_MAX = 600


class Sandbox:
    """A folder that `throughline demo` fills, unless it has been filled before."""

    def __init__(self, program, folder, students=300):
        self.program, self.folder = str(program), pathlib.Path(folder)
        self.data, self.certs = self.folder / "data", self.folder / "data" / "certs"
        cases = self.folder / "truth" / "cases.ndjson"
        if not (self.data / "config.toml").exists():
            self.call(["demo", "--students", str(students), "--seed", "1", "--dir", str(self.folder), "--exit"])
        lines = cases.read_text(encoding="utf-8").splitlines()
        self.cases = {case["case"]: case for case in map(json.loads, lines)}
        self.config = (self.data / "config.toml").read_text()

    def call(self, arguments):
        """Runs the program to its end; gives what it printed."""
        done = subprocess.run([self.program, *arguments], capture_output=True, text=True, timeout=STARTING_SECONDS_MAX)
        if done.returncode != 0:
            raise RuntimeError(f"{arguments[0]} ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def on_data(self, *arguments):
        """Runs a command on the sandbox's data."""
        return self.call(["--data", str(self.data), *arguments])

    def client(self, case, agency):
        """The id by which an agency knows somebody."""
        return next(one["person_id"] for one in self.cases[case]["clients"] if one["consumer"] == agency)

    @contextlib.contextmanager
    def serving(self, settings="", limits=""):
        """The program, serving on a free port, with more settings for the table `server` and its table `limits`."""
        config = self.config.replace("[server]\n", f"[server]\n{settings}\n", 1)
        (self.data / "config.toml").write_text(f"{config}\n[server.limits]\n{limits}\n")
        command = [self.program, "--data", str(self.data), "serve", "--listen", "127.0.0.1:0", "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            for line in process.stdout:
                if line.startswith("{") and "serving" in (said := json.loads(line)):
                    yield Server(process, "localhost:" + said["serving"].rsplit(":", 1)[1])
                    break
            else:
                raise RuntimeError("the program does not serve")
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
            (self.data / "config.toml").write_text(self.config)


class Server:
    """The program, serving."""

    def __init__(self, process, address):
        self.process, self.address = process, address
