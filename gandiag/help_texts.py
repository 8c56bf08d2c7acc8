"""What ``--help`` says. A backspace character keeps the lines of a paragraph as they are."""

from __future__ import annotations

__all__ = [
    "BENCH",
    "BENCH_COMPARE",
    "BENCH_DETECTION",
    "BENCH_OVERHEAD",
    "BENCH_REPORT",
    "BENCH_TREATMENT",
    "COMPARE",
    "DIAGNOSE",
    "EXAMINE",
    "GANDIAG",
    "LIST",
    "REPORT",
    "RUN",
    "SERVE",
    "TREAT",
]

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

EXAMINE = """\
Examine the players of the run in PATH themselves, held still at a checkpoint.

PATH is a folder that `gandiag run --checkpoint-every STEPS` wrote, or one of its checkpoints. Each
instrument asks one question of the theory and says in a sentence what it found, with intervals or
the range over several draws of samples:

\b
optimal_discriminator  would the generator still learn from a discriminator trained to the end?
jacobian               near these weights, does the game turn, and is it pulled in or pushed out?
update_map             are the steps of plain gradient descent too large for it?
path_angle             between an earlier checkpoint and this one, which way does the game push?
duality_gap            what could either player still gain, if the other stood still?

All are asked unless --instrument names some; that takes minutes. gandiag list instruments NAME
shows the options of one, for --set.

\b
gandiag run healthy --checkpoint-every 500
gandiag examine reports/healthy/0
gandiag examine reports/healthy/0 --at 1000 --since 500 --instrument path_angle
gandiag examine reports/healthy/0 --instrument jacobian --set jacobian.count=12 --json

Nothing is written. In Python, gandiag.examine asks the same about networks of your own.

Exit status: 0 done, 2 bad input, 130 interrupted; what has been found by then is shown.
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

COMPARE = """\
Play SCENARIO with and without fixes, over the same seeds, and say what each fix does.

SCENARIO is as in gandiag run. Each --fix is an arm; several joined by commas are applied together
(gandiag list fixes). Games of one seed are paired. The answer for each arm is one of

\b
cures        the failures go in a proven share of the runs, none comes in their place, and the
             samples get no worse
helps        something gets better, beyond chance, but that is no cure
harms        something gets worse, beyond chance
no evidence  too few seeds, or no difference; the note says how many seeds it would take

Tests are exact, two-sided and corrected for the number of arms: one arm takes 6 seeds at least,
three take 7, ten take 9. The folder holds a page, its data as JSON, and each run's record in
ARM/SEED; gandiag diagnose and report take them. The page defines every word.

\b
gandiag compare mode_collapse --fix minibatch_discrimination --fix r1 --fix r1,packing
gandiag compare mine.yaml --fix r1 --seeds 6 --set training.steps=1000 --jobs 2
gandiag compare mine.yaml --fix r1 --to weights_and_biases
gandiag compare mine.yaml --fix r1 --backend dask --address tcp://scheduler:8786

Ctrl-C, or a machine that dies, loses only the games that were being played: the same command with
--resume plays the rest. A game whose scenario has changed since is played again. On a cluster the
folder must lie on a disk that all machines share. The same threads give the same numbers wherever
they are played; across kinds of processors the last bits differ, and with them a game's course.

Exit status: 0 done, whatever the verdicts; 2 bad input, nothing written; 130 interrupted, or the
workers keep dying.
"""

TREAT = """\
Diagnose SCENARIO over several seeds, try the fixes that fit, and stop at the first proven cure.

SCENARIO is as in gandiag run: a file, a name, or a run's folder. The untreated game is played
first. Of the fixes that its diagnoses name, those that treat all its failures are tried first, and
among these those that know the cause. A fix is given up as soon as it could no longer be proven.
One that takes the failures away but leaves or brings another is no cure yet: what its own runs'
diagnoses name is then tried on top of it. What *cures* means is said in gandiag compare --help;
each try is corrected for the --most that there may be.

\b
gandiag treat mode_collapse
gandiag treat reports/mode_collapse/0 --seeds 12 --jobs 2
gandiag treat mine.yaml --most 2 --seeds 8

The folder holds a page, its data as JSON, each run's record in ARM/SEED and, where a cure was
found, cured.yaml, to be played by gandiag run. Ctrl-C keeps the finished games; --resume goes on.

Exit status: 0 a cure was found, or there is nothing to treat; 1 no cure was found; 2 bad input;
130 interrupted, or the workers keep dying.
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

BENCH = """\
Re-measure what gandiag claims, on this machine.

\b
gandiag bench overhead    what watching a training costs
gandiag bench detection   how often the detectors are right, against an oracle
gandiag bench treatment   for how many failing games a cure is found
gandiag bench compare     how well a comparison fills the cores
gandiag bench report      how long a page takes to make, and how large it is

Exit status: 0 done, 2 bad input.
"""

BENCH_DETECTION = """\
Play labelled games and count how often the detectors are right.

59 games, five times each, are played beside an oracle that knows the true modes of the data; then
detectors, and the rules of other tools, are asked about the records every 100 steps. The protocol
stands in reports/detection.md of the repository. The whole takes hours on two cores: runs are kept,
an interrupted benchmark goes on where it was, and --judge asks again without playing.

\b
gandiag bench detection --jobs 2
gandiag bench detection --case ring_r1 --case dirac --seeds 1
gandiag bench detection --judge --part held_out
gandiag bench detection --judge --ablation

Exit status: 0 done, 2 bad input, 130 interrupted; what was played is kept.
"""

BENCH_TREATMENT = """\
Treat ten failing games, as gandiag treat does, and count for how many a cure is found.

Which games, and what counts, stands in reports/treatment.md of the repository. It takes hours on
two cores: runs are kept, and an interrupted benchmark goes on where it was.

\b
gandiag bench treatment --jobs 2
gandiag bench treatment --case ring_five_to_one

Exit status: 0 done, 2 bad input, 130 interrupted; what was played is kept.
"""

BENCH_COMPARE = """\
Measure how well a comparison fills the cores of this machine.

A ring of eight modes is played with four arms and five seeds: first each game by itself, one after
the other in a process that has loaded everything; then all as gandiag compare plays them.

\b
alone      seconds of each game by itself, added up
share      the same over the games that are played at a time: a comparison cannot take less
whole      seconds of the comparison, with starting its processes and making its page
ratio      whole over share
CPU ratio  the processor's seconds of the comparison over those of the games one by one

Nothing else should run meanwhile; where something does, the last number says more than the one
before. It takes some minutes.

\b
gandiag bench compare
gandiag bench compare --jobs 2 --steps 4000

Exit status: 0 done, 2 bad input, 130 interrupted.
"""

BENCH_REPORT = """\
Measure how long the pages of the runs in PATHS take to make, and how large they are.

Each run's page is made as it is, and as that of a run of many steps, which repeats the looks and
sheets of the run; once for engineers and once for students. Seconds are medians, on the clock and
of the processor; loading the drawing libraries, once a process, is not in them. Last comes the list
of many runs, as gandiag serve shows it.

\b
gandiag bench report reports/mode_collapse/0
gandiag bench report reports/mode_collapse/0 --steps 50000 --rounds 1

Exit status: 0 done, 2 bad input, 130 interrupted.
"""

BENCH_OVERHEAD = """\
Measure what watching a training costs, beside the same loop left alone.

Loops in plain torch on MNIST play in turns of ten steps, in an order drawn anew for each turn;
wandb.watch plays too, offline. Three tables: gandiag as it comes; every probe at every step; each
probe alone, beside the hooks without any.

\b
ratio      seconds of a block of steps over those of the loop beside it, median over blocks
95 %       the median's interval; the whole range where there are fewer than six blocks
CPU        the same of the processor's seconds, of all threads of this process
us a step  microseconds that a step takes longer

Networks are made anew for each block. The clock starts 60 steps later: the reference has then been
built. The default takes some minutes on one core. Each block is in the CSV file.

\b
gandiag bench overhead
gandiag bench overhead --game dcgan --rounds 6
gandiag bench overhead --memory 20000

Exit status: 0 done, 2 bad input, 130 interrupted; the CSV file keeps what was measured.
"""
