"""What ``gandiag compare --help`` and ``treat --help`` say; a backspace keeps lines as they are."""

from __future__ import annotations

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
--resume plays the rest. A game whose scenario has changed since is played again; what is kept is
judged anew, so that all games are judged by one version of the detectors. On a cluster the folder
must lie on a disk that all machines share. The same threads give the same numbers wherever they are
played; across kinds of processors the last bits differ, and with them a game's course.

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
