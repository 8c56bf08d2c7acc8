"""Words that a report uses, in the sense in which it uses them."""

from __future__ import annotations

GLOSSARY: tuple[tuple[str, str], ...] = (
    ("generator, G", "the network that makes samples from random latents"),
    ("discriminator, D", "the network that scores samples: high for real, low for made ones"),
    ("critic", "a discriminator whose score is no probability; only differences of it count"),
    ("latent", "the random input of the generator; fixed ones are the same at every look"),
    ("fake", "a sample that the generator made"),
    ("objective", "what the two players minimise; a loss is its value at one step"),
    ("step", "one update of the generator, unless said otherwise"),
    ("look", "one moment at which a signal was measured"),
    ("signal", "one named number over steps: probe, what, whose"),
    ("condition", "a failure that is looked for, such as mode collapse"),
    ("present, absent, inconclusive", "it is there; it is not; the record cannot tell"),
    ("onset", "the step since which a condition has been there"),
    ("evidence", "an observed number beside the threshold from which on it speaks for a condition"),
    ("threshold", "that limit; every one is an option with its reason, listed on this page"),
    ("null", "what a number is between two draws of real data: chance alone, no difference"),
    ("real scale", "mean distance between two real samples; distances are given in it"),
    ("mode", "a kind of sample; here a cell of the real data found by k-means"),
    (
        "energy distance",
        "how far two sets of samples are from one distribution; 0 if they share it",
    ),
    ("AUC", "how often D scores a real sample above a fake: 1 is always, 0.5 is a guess"),
    ("severity", "size of the effect from 0 to 1; no probability"),
    (
        "steady, recent, open",
        "how sure: the answer held through the last half of the run; it changed in it; it cannot "
        "be told. No probability either",
    ),
)
