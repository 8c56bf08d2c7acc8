"""What ``--help`` says. A backspace character keeps the lines of a paragraph as they are."""

from __future__ import annotations

__all__ = ["DIAGNOSE", "GANDIAG", "LIST", "REPORT", "RUN"]

GANDIAG = """\
Say which failure a GAN suffers from, since which step, on what evidence, why, and what to do.

\b
gandiag list scenarios                    what there is to play
gandiag run mode_collapse                 play one, watch it, diagnose it
gandiag diagnose reports/mode_collapse/0  ask its record again
gandiag report reports/mode_collapse/0    make its pages again

Exit status: 0 done, 1 what was asked about is so (see each command), 2 bad input,
130 interrupted.
"""

RUN = """\
Play SCENARIO, watch it, and say what was seen.

SCENARIO is a YAML file, the name of a shipped one (gandiag list scenarios), or a run's folder,
which is played again. Values are YAML, keys are dotted:

\b
gandiag run healthy --seed 3 --steps 500
gandiag run mine.yaml --set variant.vanilla.objective=saturating
gandiag run mine.yaml --set training.discriminator.optimizer.lr=1e-3 --set probes.units=off

An earlier run is never overwritten unasked: the next one goes to SEED-2, SEED-3, ...
Ctrl-C ends a run early and keeps its record.

Exit status: 0 played, whatever the diagnosis; 1 with --check, where a diagnosis differs from
the scenario's `expect`; 2 bad input, nothing written; 130 interrupted.
"""

DIAGNOSE = """\
Say what the run in PATH suffers from.

PATH is a folder that `gandiag run` wrote, finished or not. The detectors of its scenario.yaml
are asked, or gandiag's own where it has none.

\b
gandiag diagnose reports/mode_collapse/0
gandiag diagnose reports/mode_collapse/0 --until 800 --json

Exit status: 0 nothing is present, 1 something is, 2 bad input.
"""

REPORT = """\
Diagnose the run in PATH anew and make its reports again.

PATH is a folder that `gandiag run` wrote. Its scenario's reporters are used unless --to names
others (gandiag list reporters).

\b
gandiag report reports/mode_collapse/0 --to html

Exit status: 0 done, 2 bad input.
"""

LIST = """\
List plugins by family, the options of one, or the shipped scenarios.

\b
gandiag list
gandiag list variants
gandiag list variants vanilla
gandiag list scenarios

A plugin of your own is a package with an entry point in the group gandiag.FAMILY.

Exit status: 0 done, 2 bad input.
"""
