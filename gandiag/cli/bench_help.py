"""What ``gandiag bench --help`` says; a backspace keeps lines as they are."""

from __future__ import annotations

BENCH = """\
Re-measure what gandiag claims, on this machine.

\b
gandiag bench overhead    what watching a training costs
gandiag bench detection   how often the detectors are right, against an oracle
gandiag bench treatment   for how many failing games a cure is found
gandiag bench fixes       which fixes cure which of the shipped failures
gandiag bench compare     how well a comparison fills the cores
gandiag bench report      how long a page takes to make, and how large it is

Exit status: 0 done, 2 bad input.
"""

DETECTION = """\
Play labelled games and count how often the detectors are right.

74 games, five times each, are played beside an oracle that knows the true modes of the data; then
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

TREATMENT = """\
Treat ten failing games, as gandiag treat does, and count for how many a cure is found.

Which games, and what counts, stands in reports/treatment.md of the repository. It takes hours on
two cores: runs are kept, and an interrupted benchmark goes on where it was.

\b
gandiag bench treatment --jobs 2
gandiag bench treatment --case ring_five_to_one

Exit status: 0 done, 2 bad input, 130 interrupted; what was played is kept.
"""

FIXES = """\
Play the three shipped failures with six fixes each, ten seeds of all, and say what each fix does.

These are three comparisons, as gandiag compare plays them; their pages lie in the folders of the
runs, and the tables are printed as Markdown. What came of them stands in reports/fixes.md of the
repository. It takes an hour or two on two cores: runs are kept, and an interrupted study goes on
where it was.

\b
gandiag bench fixes --jobs 2
gandiag bench fixes --case mode_collapse --pictures pictures

Exit status: 0 done, 2 bad input, 130 interrupted; what was played is kept.
"""

COMPARE = """\
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

REPORT = """\
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

OVERHEAD = """\
Measure what watching a training costs, beside the same loop left alone.

Loops in plain torch on MNIST play in turns of ten steps, in an order drawn anew for each turn;
wandb.watch plays too, offline. Three tables: gandiag as it comes; every probe at every step; each
probe alone, beside the hooks without any.

\b
ratio      seconds of a block of steps over those of the loop beside it, median over blocks
95 %       the median's interval; the whole range where there are fewer than six blocks
CPU        the same of the processor's seconds, of all threads of this process
us a step  microseconds that a step takes longer

Networks are made anew for each round, in which each loop of the first table plays with the networks
of both. The clock starts once the reference has been built, in the first table when the detectors
judge. The first two tables take eleven minutes on one core. Each block is in the CSV file.

\b
gandiag bench overhead
gandiag bench overhead --game dcgan --rounds 6
gandiag bench overhead --memory 20000

Exit status: 0 done, 2 bad input, 130 interrupted; the CSV file keeps what was measured.
"""
