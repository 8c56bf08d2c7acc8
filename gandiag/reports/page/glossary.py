"""The glossary of a report page."""

from __future__ import annotations

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("generator, G", "the network that turns random latents into samples"),
    ("discriminator, D", "the network that scores samples: high for real, low for generated ones"),
    ("critic", "a discriminator whose score is no probability; only differences of scores count"),
    ("latent", "the random input of the generator; fixed latents are the same at every evaluation"),
    ("objective", "the functions that the two networks minimise; a loss is its value at one step"),
    ("step", "one update of the generator, if nothing else is said"),
    ("evaluation", "a step at which signals are measured"),
    ("signal", "a measured number over steps, named probe/quantity/network"),
    ("probe", "the part of gandiag that measures a group of signals"),
    ("detector", "the part of gandiag that decides from the signals whether a failure is present"),
    ("failure", "a problem of the training that a detector checks for, such as mode collapse"),
    ("present, absent, inconclusive", "the failure occurs; it does not; the record cannot decide"),
    ("onset", "the step since which a failure has been present"),
    ("evidence", "a measured number and its threshold"),
    (
        "threshold",
        "the limit beyond which a number is a sign of a failure; an option of a detector",
    ),
    (
        "real-vs-real baseline, baseline",
        "the value of a measurement for fresh real samples in place of generated ones",
    ),
    ("mode", "a group of similar samples; here a k-means cell of the real data"),
    (
        "energy distance",
        "a distance between two distributions, 0 if they are equal; in units of the mean distance "
        "between two real samples",
    ),
    (
        "discriminator AUC",
        "share of pairs of a real and a generated sample in which D gives the real one the higher "
        "score; 1 is perfect, 0.5 is chance",
    ),
    ("severity", "size of the effect from 0 to 1; not a probability"),
    (
        "steady, recent, open",
        "confidence in a diagnosis: the result was the same during the last half of the run; it "
        "changed during that half; it is inconclusive. These are not probabilities",
    ),
)
