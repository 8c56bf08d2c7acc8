"""What ``gandiag examine --help`` says; a backspace keeps lines as they are."""

from __future__ import annotations

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
