"""Rules in Python: what they may say, what numpy makes of them, and that the kernels that they generate give the same bits."""

from __future__ import annotations

import json
import re
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from chip_programs import FIRING, program, run
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from ppu_bench import play
from rule_bench import NEURONS, US, VIEWS, RandomRule, check_equal, chip, plans, task

from neckar.errors import KernelMemoryError, ProgramError, RuleError
from neckar.lab import Lab
from neckar.ppu import FracSat8, FracSat16, Mod8, Mod16, Rule, RuleBatch, State, prepare, random_row, round_stochastic, where, write_down
from neckar.ppu._recipe import parse
from neckar.program import Events, NeuronView, Observable, PlasticityTask, PlasticityView, TimedRead, dumps, loads

ALL = tuple(range(256))
QUIET = {"deadline": None, "derandomize": True, "phases": (Phase.explicit, Phase.generate), "suppress_health_check": list(HealthCheck)}


@settings(max_examples=2, **QUIET)
@given(plan=plans, seed=st.integers(0, 2**32), mode=st.sampled_from(["instant", "timed"]))
def test_a_random_rule_gives_the_bits_of_its_kernel(plan, seed, mode) -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    rule = RandomRule(plan)
    note(rule.generate_kernel())
    check_equal(rule, seed, mode=mode)


@pytest.mark.slow
@settings(max_examples=30, **QUIET)
@given(plan=plans, seed=st.integers(0, 2**32), mode=st.sampled_from(["instant", "timed"]))
def test_many_random_rules_give_the_bits_of_their_kernels(plan, seed, mode) -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    check_equal(RandomRule(plan), seed, mode=mode)


# ---- Without a compiler


@settings(max_examples=15, **QUIET)
@given(plan=plans, seed=st.integers(0, 2**32))
def test_chips_together_give_the_bits_of_each_chip_alone(plan, seed) -> None:
    rule = RandomRule(plan)
    rng = np.random.default_rng(seed)
    random = rng.integers(1, 2**16, (3, 2, 256), dtype=np.uint16)
    together = RuleBatch(task(rule, "python"), 3, random)
    alone = [RuleBatch(task(rule, "python"), 1, random[k : k + 1]) for k in range(3)]
    for name in ("weights", "labels", "causal", "acausal", "counts", "membranes"):
        values = rng.integers(0, 64 if name in ("weights", "labels") else 256, getattr(together, name).shape, dtype=np.uint8)
        getattr(together, name)[...] = values
        for k in range(3):
            getattr(alone[k], name)[...] = values[k]
    for _ in range(2):
        found, each = together.invoke(), [one.invoke() for one in alone]
        assert all(np.array_equal(values[k], each[k][name][0]) for name, values in found.items() for k in range(3))
    for name in ("weights", "labels", "counts"):
        assert np.array_equal(getattr(together, name), np.concatenate([getattr(one, name) for one in alone]))


@settings(max_examples=15, **QUIET)
@given(plan=plans, seed=st.integers(0, 2**32))
def test_rows_together_give_the_bits_of_row_after_row(plan, seed) -> None:
    """In the mode "timed" a rule that looks at sensors goes row by row; on a chip that stands still the bits are those of one pass."""
    rule, found = RandomRule(plan), []
    for mode in ("instant", "timed"):
        one = chip(seed)
        found.append((one, play(task(rule, "python", mode=mode), one, 200_000 * US)))
    (first, played), (second, reference) = found
    assert all(np.array_equal(first.planes[name], second.planes[name]) for name in first.planes)
    names = [name for name in played.observables[0] if name != "time"]
    assert names
    assert all(np.array_equal(played.observables[0][name], reference.observables[0][name]) for name in names)


def test_a_run_needs_no_compiler_and_no_sandbox(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "ziglang", None)
    monkeypatch.setitem(sys.modules, "wasmtime", None)

    class Grows(Rule):
        def update(self, synapses, neurons, recording):
            for row in synapses[0]:
                row.set_weights(row.get_weights() + 5)

    views = (PlasticityView(1, (2, 0), ALL),)
    rule = PlasticityTask(name="grows", kernel=Grows().text(), language="python", views=views, period=40 * US, count=3, mode="instant")
    read = TimedRead(name="w", at="after", field="synapse_weight", index=(1, (0, 3)))
    found = run({**FIRING, "synapse_weight": 50}, 100, plasticity=(rule,), reads=(read,)).reads["w"][0]
    assert found.min(axis=1).tolist() == found.max(axis=1).tolist() == [63, 50, 63]


def test_a_state_stays_between_invocations_and_each_processor_has_its_own() -> None:
    class Counts(Rule):
        calls = State(Mod16, initial=65534)

        def update(self, synapses, neurons, recording):
            for view in synapses:
                self.calls[0] = self.calls[0] + 1
                for row in view:
                    recording.n[row] = self.calls[0]

    rule = Counts({"n": Observable("uint16", "synapse", "packed_active_columns")})
    played = play(task(rule, "python", views=VIEWS[:1]), chip(0), 200_000 * US)
    assert played.observables[0]["n.0"][:, 0, 0].tolist() == [65535, 0, 1]


# ---- The text of a rule


@settings(max_examples=20, **QUIET)
@given(plan=plans)
def test_the_text_of_a_rule_gives_the_rule_back(plan) -> None:
    rule = RandomRule(plan)
    recipe = write_down(rule, rule.observables)
    assert parse(recipe.text()) == recipe
    again = program(FIRING, 10, plasticity=(task(rule, "python"),))
    assert loads(dumps(program=again)).program == again


@settings(max_examples=40, **QUIET)
@given(data=st.data())
def test_a_damaged_text_is_refused_or_runs(data) -> None:
    rule = RandomRule(([("add", 0, 1, 2, 3)], [("where", 5, 2, 3, 4), ("keep_row", 1, 1, 1, 1), ("round", 3, 1, 1, 5), ("element", 2, 2, 2, 2)]))
    words = re.split(r"([\[\],:]|\"\w*\")", rule.text())
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(words) - 1))
        words[place] = data.draw(st.sampled_from([*set(words), "-1", "999", '"ppu"', "null", "1.5", '"v999"', ""]))
    text = "".join(words)
    try:
        damaged = replace(task(rule, "python"), kernel=text)
        prepare((damaged,))
        RuleBatch(damaged, 1).invoke()
    except (RuleError, ProgramError):
        return
    assert parse(text).text() == text  # what runs is a text of the one form


def text_of(*steps: object) -> str:
    """Return a text as a file may hold it."""
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in ({"neckar_rule": 1, "states": []}, *steps))


def rows(number: int, *body: object, over: str = "synapses[0]") -> list[object]:
    return ["rows", "", "", [], [[over, f"r{number}"]], *([list(body)] if body else [])]


HOSTILE = [
    (text_of(rows(0, rows(1))), "a loop rows stands in another; allowed are rows in each"),
    (text_of(["each", "", "", [], [["synapses", "y0"]], [["each", "", "", [], [["synapses", "y1"]]]]]), "a loop each stands in another"),
    (text_of(rows(0, ["each", "", "", [], [["synapses", "y1"]]])), "a loop each stands in another"),
    (text_of(["each", "", "", [], [["synapses", "y0"]], [rows(1, rows(2), over="y0")]]), "is no step|a loop rows stands in another"),
    (text_of(rows(0, over="")), "a loop rows does not go through ''"),
    (text_of(["rows", "", {}, [], [["synapses[0]", "r0"]], [["reset_correlation", "", "", ["r0"]]]]), "is no step"),
]


@pytest.mark.parametrize(("text", "message"), HOSTILE)
def test_a_text_that_no_rule_has_is_refused_before_it_runs(text, message) -> None:
    with pytest.raises(RuleError, match=message):
        parse(text)


def chain(number: int, *step: object) -> str:
    """Return a text whose steps each take the last one's row of 16 bit."""
    return text_of(rows(0, ["const", "v1", "int16", [3]], *([step[0], f"v{n + 2}", "int16", [f"v{n + 1}", *step[1:]]] for n in range(number))))


def hostile(text: str, rows: int = 256) -> PlasticityTask:
    return replace(task(Both(), "python"), kernel=text, views=(PlasticityView(0, tuple(range(rows)), ALL),))


LONG = [
    chain(3000, "neg"),
    chain(20, "pow", 255),
    text_of(rows(0, *(["random", f"v{n + 1}", "int16"] for n in range(400)))),
    text_of(rows(0, *(["get_causal_correlation", f"v{n + 1}", "uint8", ["r0"]] for n in range(200)))),
    text_of(*(rows(n) for n in range(2000))),
]


@pytest.mark.parametrize("text", LONG)
def test_a_rule_that_would_keep_the_host_busy_is_refused_before_it_runs(text) -> None:
    with pytest.raises(ProgramError, match=r"may take [\d.]+ s of the host for one invocation; allowed are 5 s, .* Give it fewer rows"):
        prepare((hostile(text),))
    prepare((hostile(text, rows=16),))


@pytest.mark.parametrize("text", [chain(1500, "neg"), text_of(rows(0, *(["random", f"v{n + 1}", "int16"] for n in range(300))))])
def test_memory_does_not_grow_with_the_steps_of_a_rule(text) -> None:
    """All rows of all steps would take 190 MB, and all random numbers 40 MB."""
    batch = RuleBatch(hostile(text), 1)
    tracemalloc.start()
    try:
        batch.invoke()
        assert tracemalloc.get_traced_memory()[1] < 30e6
    finally:
        tracemalloc.stop()


class Long(Rule):
    """More steps than a pass takes for all rows; rows follow each other if an element is recorded."""

    def __init__(self, number: int) -> None:
        super().__init__({"last": Observable("int8", 1)} if number else {})
        self.number = number

    def update(self, synapses, neurons, recording):
        for row in synapses[0]:
            total = row.get_weights()
            for _ in range(40):
                total = round_stochastic(total + random_row(FracSat8), 2) - FracSat8(row.get_labels())
            if self.number:
                recording.last[0] = total[0]
            row.set_weights(total)


def test_passes_over_some_rows_give_the_bits_of_row_after_row() -> None:
    found = []
    for number in (0, 1):
        rule = Long(number)
        assert len(parse(rule.text()).steps[0].body) > 100
        batch = RuleBatch(replace(hostile(rule.text()), observables=rule.observables), 2)
        batch.weights[...], batch.labels[...] = 20, 1
        batch.invoke()
        found.append(batch.weights)
    assert np.array_equal(*found)
    assert found[0][0, 0].std() > 1


# ---- What a rule cannot say


def update_of(body) -> Rule:
    """Return a rule with this body of `update`."""
    names = {"list": Observable("int8", 2), "w": Observable("int8", "synapse"), "n": Observable("uint8", "neuron")}
    return type("Wrong", (Rule,), {"h": State(FracSat16, rows=2), "update": lambda self, s, n, r: body(self, s, n, r)})(names)


def in_rows(body):
    def whole(self, synapses, neurons, recording):
        for row in synapses[0]:
            body(self, row, recording)

    return whole


def kept_from_round_to_round(self, synapses, neurons, recording):
    total = FracSat8(0)
    for row in synapses[0]:
        total = total + row.get_weights()


def used_after_the_loop(self, synapses, neurons, recording):
    for row in synapses[0]:
        last = row.get_weights()
    recording.list[0] = last[3]


def counts_in_python(self, synapses, neurons, recording):
    for number, row in enumerate(synapses[0]):
        row.set_weights(FracSat8(number))


def leaves_a_loop(self, synapses, neurons, recording):
    for row in synapses[0]:
        row.set_weights(FracSat8(1))
        break


def nests_views(self, synapses, neurons, recording):
    for _ in synapses:
        for cells in neurons:
            recording.n[cells] = cells.get_rate_counters()


def takes_the_first_neurons_for_each_view(self, synapses, neurons, recording):
    for _ in synapses:
        for cells in neurons:
            recording.n[cells] = cells.get_rate_counters()
            break


def takes_the_first_row_for_each_row(self, synapses, neurons, recording):
    for to in synapses[0]:
        for source in synapses[1]:
            to.set_weights(source.get_weights())
            break


def forgets_the_rows(self, synapses, neurons, recording):
    for row in synapses[0]:
        row.set_weights(FracSat8(1))
    for row in synapses:
        row.set_weights(FracSat8(1))


def adds_to_a_state(self, synapses, neurons, recording):
    self.h += 1


def sets_a_state(self, synapses, neurons, recording):
    self.h = self.h[0] + 1


def decides(self, row, recording):
    if row.get_weights() > 3:
        row.set_weights(FracSat8(0))


WRONG = [
    (in_rows(decides), "a Python if, and, or, not, min or max asks whether a condition is true.*where"),
    (in_rows(lambda self, row, r: max(row.get_weights(), 3)), "min or max.*where"),
    (in_rows(lambda self, row, r: row.get_wieghts()), "a row of synapses has no 'get_wieghts'; did you mean get_weights"),
    (in_rows(lambda self, row, r: row.get_weights() + 200), "200 was asked for as an element of FracSat8; allowed are -128 to 127. Take FracSat"),
    (in_rows(lambda self, row, r: row.get_weights(Mod8) - -1), "-1 was asked for as an element of Mod8; allowed are 0 to 255"),
    (in_rows(lambda self, row, r: row.get_weights() * 0.5), "FracSat8 and 0.5 of type float was asked for.*64 for 64/128"),
    (in_rows(lambda self, row, r: row.get_weights() + row.get_labels()), r"the sum of FracSat8 and Mod8 .*Convert one, for instance FracSat8\(row\)"),
    (in_rows(lambda self, row, r: FracSat8(0.5)), "a FracSat8 was asked for of 0.5 of type float; allowed are integers.*FracSat8\\(64\\) is 64/128"),
    (in_rows(lambda self, row, r: Mod8(row.get_weights()[1])), "a Mod8 was asked for of an element of FracSat8"),
    (in_rows(lambda self, row, r: FracSat16(row.get_labels())), "a Mod8 was to be converted to FracSat16.*Convert twice"),
    (in_rows(lambda self, row, r: row.get_weights() / 2), "the vector unit has"),
    (in_rows(lambda self, row, r: row.get_weights() << row.get_weights()), "a shift with a row was asked for"),
    (in_rows(lambda self, row, r: where(FracSat16(row.get_weights()) > 0, FracSat8(1), 0)), "16 bit do not choose 8 bit"),
    (in_rows(lambda self, row, r: where(row.get_weights(), 1, 0)), "a row stands where a condition is needed"),
    (in_rows(lambda self, row, r: row.set_weights(FracSat16(row.get_weights()))), "set_weights takes rows of 8 bit; asked for was a FracSat16"),
    (in_rows(lambda self, row, r: row.get_weights()[3] + 1), "a single element was to calculate.*Only rows calculate"),
    (in_rows(lambda self, row, r: r.w.__setitem__(row, row.get_labels())), r"w holds int8; asked for was a row of Mod8. Convert it: FracSat8\(row\)"),
    (in_rows(lambda self, row, r: r.n.__setitem__(row, row.get_labels())), "one value per neuron, was set for a row of synapses"),
    (in_rows(lambda self, row, r: r.weights), "the rule has no observable 'weights'.*It has list, w, n"),
    (in_rows(lambda self, row, r: setattr(r, "w", row.get_weights())), r"Write recording.w\[row\] = values"),
    (in_rows(lambda self, row, r: self.h.__setitem__(row, row.get_weights())), r"the state h holds FracSat16; asked for was FracSat8"),
    (in_rows(lambda self, row, r: self.h[2]), "a row of the state h with 2 of type int was asked for; allowed are integers from 0 to 1"),
    (in_rows(lambda self, row, r: State(Mod8)[0]), "is no attribute of the rule"),
    (lambda self, s, n, r: len(s), "not known before the network is placed"),
    (kept_from_round_to_round, "a row that was made in a loop over rows is used after that round.*State"),
    (used_after_the_loop, "a row that was made in a loop over rows is used after that round"),
    (counts_in_python, "a loop over rows does something else in its second round"),
    (leaves_a_loop, "a loop over rows was left with break or return"),
    (forgets_the_rows, r"a synapse view has no 'set_weights'. Loop over its rows, .*for row in view"),
    (lambda self, s, n, r: s.get_weights(), r"a list of views has no 'get_weights'. Loop over the views"),
    (lambda self, s, n, r: s[0][3], "a part of a synapse view was asked for with 3 of type int; .*Loop over its rows"),
    (lambda self, s, n, r: n[0] + 1, "a neuron view was to calculate"),
    (lambda self, s, n, r: self.h + 1, r"a State as a whole was to calculate .*self.h\[0\]"),
    (lambda self, s, n, r: self.h > 1, r"a State as a whole was to calculate or to be compared"),
    (adds_to_a_state, r"a State as a whole was to calculate .*self.h\[0\]"),
    (sets_a_state, r"the state h was set as a whole; .*Write self.h\[0\] = row"),
    (lambda self, s, n, r: len(list(s)), r"a loop over views does nothing; .* list\(\)"),
    (in_rows(lambda self, row, r: None), "a loop over rows does nothing"),
    (in_rows(lambda self, row, r: np.clip(row.get_weights(), 0, 9)), r"numpy was to make an array of a row, .*where\(a > b, a, b\)"),
    (in_rows(lambda self, row, r: np.where(row.get_weights() > 0, 1, 2)), "numpy was to make an array of a condition"),
    (in_rows(lambda self, row, r: np.maximum(row.get_weights(), 10)), r"maximum of numpy was asked for with a row, .*where\(a > b, a, b\)"),
    (in_rows(lambda self, row, r: row.get_weights() == np.arange(256)), r"a comparison of FracSat8 and array.{1,60}\.\.\. of type ndarray was asked for"),
    (in_rows(lambda self, row, r: np.arange(256) + row.get_weights()), r"the sum of FracSat8 and array.{1,60}\.\.\. of type ndarray"),
    (in_rows(lambda self, row, r: row.get_weights() > 3 & row.get_weights()), r"Put brackets around comparisons: \(row > 3\) & \(row < 9\)"),
    (takes_the_first_neurons_for_each_view, "a loop inside of a loop over views was left with break"),
    (takes_the_first_row_for_each_row, "a loop inside of a loop over rows was left with break"),
    (nests_views, r"a loop over views stands in a loop over views; .*zip\(a, b\)"),
]


@pytest.mark.parametrize(("body", "text"), WRONG)
def test_what_a_rule_cannot_say_is_refused_with_its_line(body, text) -> None:
    with pytest.raises(RuleError, match=rf"(?s){text}") as caught:
        update_of(body).text()
    assert isinstance(caught.value, TypeError)
    assert re.match(r"rule Wrong(, line \d+ of test_ppu_rules.py)?: ", str(caught.value))


def test_an_error_in_a_library_names_the_line_of_the_rule_that_calls_it() -> None:
    library = {}
    exec(compile("def either(a, b):\n\n    return a or b\n", "/elsewhere/library.py", "exec"), library)

    def calls_it(self, synapses, neurons, recording):
        for row in synapses[0]:
            library["either"](row.get_weights(), 3)

    with pytest.raises(RuleError, match=rf"rule Wrong, line {calls_it.__code__.co_firstlineno + 2} of test_ppu_rules.py: "):
        type("Wrong", (Rule,), {"update": calls_it})().text()


def test_integers_of_numpy_calculate_with_rows_from_both_sides() -> None:
    def text_with(number):
        def body(self, row, recording):
            a = row.get_weights()
            chosen = where((number > a) & (a >= number), number + a, number - a)
            row.set_weights(where(number == a, number * chosen, a * number))

        return update_of(in_rows(body)).text()

    assert text_with(np.int64(3)) == text_with(3) == text_with(np.uint8(3))


@pytest.mark.parametrize("name", ["time", "class", "template", "co_await", "Recording", "uint8_t"])
def test_an_observable_has_no_name_that_the_kernel_needs(name) -> None:
    def body(self, synapses, neurons, recording):
        for row in synapses[0]:
            getattr(recording, name)[row] = row.get_weights()

    rule = type("Named", (Rule,), {"update": body})
    with pytest.raises(RuleError, match=f"rule Named: '{name}' belongs to .* in C.*another one"):
        rule({name: Observable("int8", "synapse")}).text()
    text = rule({"w": Observable("int8", "synapse")})
    text.update = lambda *views: [views[2].w.__setitem__(row, row.get_weights()) for row in views[0][0]]
    damaged = text.text().replace('"w"', f'"{name}"')
    with pytest.raises(RuleError, match=f"'{name}' belongs to"):
        parse(damaged)
    with pytest.raises(ProgramError, match=f"'{name}' belongs to .*Give it another name"):
        prepare((replace(task(Both(), "python"), observables={name: Observable("int8", 1)}),))


def test_a_state_may_have_any_name_of_an_attribute() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")

    class Named(Rule):
        time = State(Mod8, initial=3)
        int = State(Mod8)

        def update(self, synapses, neurons, recording):
            self.int[0] = self.time[0] + 1
            for row in synapses[0]:
                recording.synapses[row] = self.int[0]

    check_equal(Named({"synapses": Observable("uint8", "synapse")}), 3)


def test_rows_exist_only_while_a_rule_is_written_down() -> None:
    with pytest.raises(RuleError, match=r"outside of its update\(\)"):
        FracSat8(3)


class Both(Rule):
    """A rule that works on pairs of views."""

    h = State(Mod8, rows=2)

    def update(self, synapses, neurons, recording):
        for view, cells in zip(synapses, neurons, strict=True):
            counts = cells.get_rate_counters()
            for row in view:
                self.h[row] = counts


MISFITS = [
    ({"neurons": NEURONS[::-1]}, r"synapses on the hemispheres \[0, 1\] and of neurons on \[1, 0\], which must be the same"),
    ({"neurons": NEURONS[:1]}, "which must be the same"),
    ({"views": (VIEWS[0],) * 2, "neurons": (NEURONS[0],) * 2}, "keeps the state h by the rows of each view; several views on one hemisphere would share it"),
    ({"views": tuple(PlasticityView(h, (0, 1, 2), ALL) for h in (0, 1))}, r"keeps 2 rows in the state h; a view has 3. Make it State\(..., rows=3\)"),
    ({"read_symbols": ("state_h",)}, "has no global variables; asked for were state_h"),
]


@pytest.mark.parametrize(("parts", "text"), MISFITS)
def test_views_that_do_not_fit_a_rule_are_refused_before_anything_runs(parts, text) -> None:
    with pytest.raises(ProgramError, match=f"plasticity task 'rule': its rule in Python .*{text}"):
        prepare((task(Both(), "python", **parts),))


def test_states_that_exceed_the_memory_of_a_processor_are_refused() -> None:
    class Large(Rule):
        h = State(FracSat16, rows=25)

        def update(self, synapses, neurons, recording):
            self.h[0] = 1

    with pytest.raises(KernelMemoryError, match="take 12800 bytes; a processor has 12288"):
        play(task(Large(), "python"), chip(0), 10 * US)


# ---- Beside kernels in C++


def test_records_do_not_count_as_memory_of_a_processor() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")

    class Records(Rule):
        def update(self, synapses, neurons, recording):
            for row in synapses[0]:
                recording.w[row] = row.get_weights()

    rule = Records({"w": Observable("int8", "synapse")})
    played = play(task(rule, "cpp", views=(PlasticityView(0, tuple(range(64)), ALL),)), chip(0), 10 * US)
    assert played.actors[0].memory is not None
    assert played.actors[0].memory.total < 1000


def test_a_rule_in_python_beside_a_kernel_gives_the_same_bits() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    rule = RandomRule(([("add", 1, 1, 1, 1)], [("round", 3, 1, 1, 5), ("random", 0, 0, 0, 1)]))
    empty = replace(task(Both(), "cpp"), name="other", same_id=1, observables={})
    found = []
    for tasks in ((task(rule, "python"),), (task(rule, "python"), empty)):
        one = chip(3)
        play(tasks, one, 200_000 * US)
        found.append(one.planes["synapse_weight"])
    assert np.array_equal(*found)


class ByNumber(Rule):
    """A rule that takes its views by number, goes through rows of two of them together, and mixes both hemispheres."""

    kept = State(FracSat8, rows=2, initial=-3)
    last = State(Mod16, rows=1)

    def update(self, synapses, neurons, recording):
        top, bottom = (neurons[k].get_rate_counters(reset=k == 1) for k in (0, 1))
        recording.n[neurons[0]] = top
        recording.whole[neurons[1]] = Mod16(bottom) + self.last[0]
        recording.list[0] = top[3]
        recording.list[2] = 200
        self.last[0] = Mod16(neurons[1].get_analog_readouts()) + Mod16(top)
        for exc, inh in zip(synapses[0], synapses[2], strict=True):
            weights = exc.get_weights() - inh.get_weights() + FracSat8(top >> 3)
            exc.set_weights(weights)
            inh.set_weights(-weights)
            inh.set_labels(Mod8(weights) + exc.get_labels())
            recording.w[inh] = weights
            self.kept[exc] = self.kept[inh] + where((weights > 5) & ~(weights == 7), 1, FracSat8(-1))
            recording.kept[exc] = self.kept[exc]
        for row in synapses[1]:
            change = FracSat8(row.get_correlation(reset=True)[0].contiguous()) >> 4
            row.set_weights(row.get_weights() + change * change + FracSat8(bottom >> 4))
            recording.w[row] = row.get_weights()


@pytest.mark.parametrize("mode", ["instant", "timed"])
def test_views_by_number_belong_to_their_processor_in_python_as_in_the_kernel(mode) -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    names = {
        "n": Observable("uint8", "neuron", "packed_active_columns"),
        "whole": Observable("uint16", "neuron"),
        "list": Observable("uint8", 3),
        "w": Observable("int8", "synapse", "packed_active_columns"),
        "kept": Observable("int8", "synapse"),
    }
    views = (PlasticityView(0, (3, 9), (0, 1, 77)), PlasticityView(1, (200,), ALL), PlasticityView(0, (4, 250), tuple(range(128, 256))))
    check_equal(ByNumber(names), 11, views=views, mode=mode)


class OfTheOther(Rule):
    """Records neurons of the top hemisphere once, and those of the bottom one again and again, by number and column by column."""

    def update(self, synapses, neurons, recording):
        recording.n[neurons[0]] = Mod8(2)
        for _ in range(8):
            recording.n[neurons[1]] = Mod8(1)


ON_BOTH = {"views": (), "neurons": (NeuronView(0, ALL[::2]), NeuronView(1, ALL)), "period": 4000, "mode": "timed"}


def test_a_record_of_the_other_hemisphere_takes_no_time() -> None:
    rule = OfTheOther({"n": Observable("uint8", "neuron", "packed_active_columns")})
    played = play(task(rule, "python", **ON_BOTH), chip(0), 200_000 * US)
    top = [one for one in played.invocations if one.processor == "top"]
    assert [(one.number, one.late) for one in top] == [(0, False), (1, False), (2, False)]
    assert max(one.cycles for one in top) < 500
    bottom = [one for one in played.invocations if one.processor == "bottom"]
    assert len(bottom) == 1
    assert bottom[0].late


def test_a_record_by_number_lets_the_invocations_of_its_kernel_take_place() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    check_equal(OfTheOther({"n": Observable("uint8", "neuron", "packed_active_columns")}), 11, **ON_BOTH)


def test_iterators_that_go_on_in_every_round_are_gone_through_together() -> None:
    """What zip does, one may write with iter and next."""

    class Together(Rule):
        def update(self, synapses, neurons, recording):
            others = iter(synapses[1])
            for to in synapses[0]:
                to.set_weights(next(others).get_weights())

    class Zipped(Rule):
        def update(self, synapses, neurons, recording):
            for to, other in zip(synapses[0], synapses[1], strict=True):
                to.set_weights(other.get_weights())

    assert Together().text() == Zipped().text()


def test_rows_of_several_views_must_be_as_many() -> None:
    class Pairs(Rule):
        def update(self, synapses, neurons, recording):
            for exc, inh in zip(synapses[0], synapses[1], strict=True):
                exc.set_weights(inh.get_weights())

    def pair(*views):
        return (PlasticityTask(name="rule", kernel=Pairs().text(), language="python", views=views, period=10),)

    prepare(pair(PlasticityView(1, (0, 1), ALL), PlasticityView(1, (1, 2), ALL)))
    for views in ((PlasticityView(0, (0,), ALL), PlasticityView(1, (1,), ALL)), (PlasticityView(0, (0, 1), ALL), PlasticityView(0, (2,), ALL))):
        with pytest.raises(ProgramError, match=r"their hemispheres and numbers of rows, .*, must be equal"):
            prepare(pair(*views))
    with pytest.raises(ProgramError, match=r"uses synapses\[1\]; the task has 1 of them"):
        prepare(pair(PlasticityView(0, (0,), ALL)))


def test_rounds_that_meet_the_same_row_follow_each_other() -> None:
    """Row 1 is written as the first view's second row after it was read as the second view's first one."""

    class Shift(Rule):
        def update(self, synapses, neurons, recording):
            for to, source in zip(synapses[0], synapses[1], strict=True):
                to.set_weights(source.get_weights())

    task_ = PlasticityTask(
        name="rule", kernel=Shift().text(), language="python", views=(PlasticityView(0, (1, 2, 3), ALL), PlasticityView(0, (0, 1, 2), ALL)), period=10
    )
    batch = RuleBatch(task_, 1)
    batch.weights[0, 0] = np.arange(256)[:, None] % 64
    batch.weights[0, 0, 0] = 50
    batch.invoke()
    assert batch.weights[0, 0, :5, 0].tolist() == [50, 50, 50, 50, 4]


class OnChips(Rule):
    """Looks at everything that differs between chips and trials."""

    def update(self, synapses, neurons, recording):
        for view, cells in zip(synapses, neurons, strict=True):
            recording.n[cells] = cells.get_rate_counters(reset=True)
            recording.v[cells] = cells.get_analog_readouts()
            for row in view:
                recording.r[row] = random_row(Mod8)
                recording.c[row] = row.get_causal_correlation()


def test_chips_and_trials_show_a_rule_what_they_show_its_kernel() -> None:
    pytest.importorskip("ziglang")
    pytest.importorskip("wasmtime")
    rule = OnChips({name: Observable("uint8", "synapse" if name in "rc" else "neuron") for name in "nvrc"})
    views = tuple(PlasticityView(h, (0, 9), ALL) for h in (0, 1))
    tasks = [task(rule, language, views=views, period=60 * US, count=2) for language in ("python", "cpp")]
    programs = [program(FIRING, 150, entries=Events.empty(2), plasticity=(one,)) for one in tasks]
    in_python, in_cpp = (Lab().map([one, one], chips=(3, 4)) for one in programs)
    for mine, theirs in zip(in_python, in_cpp, strict=True):
        assert all(np.array_equal(values, theirs.observables["rule"][name]) for name, values in mine.observables["rule"].items())
        assert mine.losses == theirs.losses
        assert not np.array_equal(*mine.observables["rule"]["r.0"])
    first, second = (one.observables["rule"] for one in in_python)
    assert not any(np.array_equal(first[f"{name}.0"], second[f"{name}.0"]) for name in "nvrc")
