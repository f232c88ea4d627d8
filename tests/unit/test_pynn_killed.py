"""Processes that are killed while they run and write leave whole files or none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = """
import os, pickle, random, signal, sys, tempfile, time
import neckar.program as program
import pynn_brainscales.brainscales2 as pynn
from neckar.lab import observe

folder, seed = sys.argv[1], int(sys.argv[2])
results = os.path.join(folder, "results.pkl"), os.path.join(folder, "last.h5")

def work(results):
    "Run an experiment and keep it in files; the numbers of neurons and samples tell whether a file is whole."
    def keep(executed, recording, state):
        program.save(results[1], program=executed, recording=recording, state=state)
    with observe(keep):
        pynn.setup()
        neurons = pynn.Population(64, pynn.cells.HXNeuron(leak_v_leak=700))
        neurons.record("v", device="cadc", to_file=results[0])
        pynn.run(0.2)
        pynn.end()

with tempfile.TemporaryDirectory() as other:  # loads everything before the first child
    work((os.path.join(other, "results.pkl"), os.path.join(other, "last.h5")))
random.seed(seed)
whole = 0
for _ in range(20):
    child = os.fork()
    if child == 0:
        while True:
            work(results)
    time.sleep(random.uniform(0.02, 0.4))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if os.path.exists(results[0]):
        with open(results[0], "rb") as file:
            block = pickle.load(file)
        assert len(block.segments[-1].irregularlysampledsignals) == 64
        assert all(signal.size > 50 for signal in block.segments[-1].irregularlysampledsignals)
        whole += 1
    if os.path.exists(results[1]):
        contents = program.load(results[1])  # checks its own seal
        assert contents.recording.duration == contents.program.duration
        whole += 1
print(whole)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_whole_files_or_none(tmp_path: Path) -> None:
    """Twenty processes that run and write without a pause are killed at random moments; each file that exists is read and compared with what it must hold."""
    done = subprocess.run([sys.executable, "-c", _SCRIPT, str(tmp_path), "7"], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 20  # most kills came after the first files
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith(".") and path.name not in ("results.pkl", "last.h5")]
