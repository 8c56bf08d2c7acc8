"""What ``--help`` says. A backspace character keeps the lines of a paragraph as they are."""

from __future__ import annotations

GANDIAG = """\
Say which failure a GAN suffers from, since which step, on what evidence, why, and what to do.

\b
gandiag list scenarios                    what there is to play
gandiag run mode_collapse                 play one, watch it, diagnose it
gandiag diagnose reports/mode_collapse/0  ask its record again
gandiag report reports/mode_collapse/0    make its pages again
gandiag compare mode_collapse --fix r1    prove what a fix does, over many seeds
gandiag treat mode_collapse               look for a cure
gandiag examine reports/mode_collapse/0   ask its players themselves, held still
gandiag serve                             show the runs while they grow

Exit status: 0 done, 1 what was asked about is so (see each command), 2 bad input,
130 interrupted.
"""

RUN = """\
Play SCENARIO, watch it, and say what was seen.

SCENARIO is a YAML file, the name of a shipped one (gandiag list scenarios), or a run's folder,
which is played again. Values are YAML, keys are dotted:

\b
gandiag run healthy --seed 3 --steps 500
gandiag run mode_collapse --film
gandiag run mine.yaml --set variant.vanilla.objective=saturating
gandiag run mine.yaml --set training.discriminator.optimizer.lr=1e-3 --set probes.units=off

An earlier run is never overwritten unasked: the next one goes to SEED-2, SEED-3, ...
Ctrl-C ends a run early and keeps its record. With --checkpoint-every, both players are kept in
the folder after the first step, every so often and at the end, for gandiag examine.

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

PATH may also be somebody else's log of the two losses: CSV, JSON lines, a folder of TensorBoard
or an offline run of Weights & Biases (gandiag list readers). Losses show whether the
discriminator saturates or blows up; what they cannot show is inconclusive. Columns are guessed
from their names, the objective from the losses; what was guessed is said. Roles are step,
discriminator_loss, discriminator_loss_real, discriminator_loss_fake, generator_loss, class_loss;
objectives are non_saturating, saturating, hinge, least_squares, wasserstein.

\b
gandiag diagnose log.csv
gandiag diagnose log.csv --map discriminator_loss=errD --map step=iter --objective hinge

Exit status: 0 nothing is present, 1 something is, 2 bad input.
"""

REPORT = """\
Diagnose the run in PATH anew and make its reports again, or set it beside the run in OTHER.

PATH is a folder that `gandiag run` wrote. Its scenario's reporters are used unless --to names
others (gandiag list reporters). With OTHER, one page shows both runs: a failure and its cure.
A page for students has a short lesson at each condition that is present. --film makes film.gif, the
samples over training, of what the run kept; gandiag run --film keeps more.

\b
gandiag report reports/mode_collapse/0 --to html
gandiag report reports/mode_collapse/0 --audience student
gandiag report reports/mode_collapse/0 --film
gandiag report reports/mode_collapse/0 reports/mode_collapse_cured/0

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

SERVE = """\
Show the runs below FOLDER in a browser, while they are played.

A list says of each run its state and what was found; a run's own page has charts that grow with it,
and several runs can be chosen to be set beside each other. Nothing is written. The page is for this
machine, unless --host names another address: then whoever reaches it may look.

\b
gandiag serve
gandiag serve reports/mode_collapse --port 8000

Exit status: 0 done, 2 bad input.
"""
