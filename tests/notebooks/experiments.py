"""What the experiments of this folder share: reading traces, and steps of current."""

import measures

import pynn_brainscales.brainscales2 as pynn


def membrane(population, segment=-1):
    """Return times in microseconds and readings of the first signal of a population."""
    return measures.trace(population.get_data("v").segments[segment].irregularlysampledsignals[0])


def current_step(population, before_ms, during_ms, after_ms):
    """Run a population with its constant current off, on, off: three snippets of one execution."""
    population.set(constant_current_enable=False)
    pynn.run(before_ms, pynn.RunCommand.APPEND)
    population.set(constant_current_enable=True)
    pynn.run(during_ms, pynn.RunCommand.APPEND)
    population.set(constant_current_enable=False)
    pynn.run(after_ms, pynn.RunCommand.EXECUTE)
