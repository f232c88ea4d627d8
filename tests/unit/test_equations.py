"""The circuits' equations are one source: every build gives the same numbers."""

import numba
import numpy as np
import pytest

from neckar.equations import NeuronEquations, numpy_equations, ota_balance, ota_relaxed

N = 10_000
TERMS = NeuronEquations._fields


def random_arguments(name: str) -> dict[str, np.ndarray]:
    """Return arguments of one equation in the engine's units (V, us, pF, uA), float32."""
    rng = np.random.default_rng(3)

    def between(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, N).astype(np.float32)

    every = {
        "v": between(0, 1.2), "w": between(0.2, 1.0), "s_e": between(0, 0.5), "s_i": between(0, 0.5), "c": between(0.1, 2.5), "e": between(0, 1.2),
        "g": between(0, 2), "v_sat": between(0.8, 1.0), "i_t": between(0, 1e-3), "v_t": between(0.6, 1.0), "sharpness": between(20, 60),
        "g_w": between(0, 0.2), "w_0": between(0.3, 0.9),
        "a": between(-1, 1), "v_a": between(0.2, 1.0), "tau_w": between(10, 300), "gm_e": between(0, 1), "gm_i": between(0, 1),
        "coba": between(-2, 2), "e_ref": between(0.2, 1.0), "coba_e": between(0, 2), "e_ref_e": between(0.2, 1.0), "coba_i": between(-2, 0),
        "e_ref_i": between(0.2, 1.0), "v_floor": between(0.05, 0.2),
        "v_width": between(0.02, 0.05), "i_offset": between(-0.1, 0.1),
    }  # fmt: skip
    function = getattr(numpy_equations(), name)
    return {key: every[key] for key in function.__code__.co_varnames[: function.__code__.co_argcount]}


def in_double(name: str, equations: NeuronEquations | None = None) -> np.ndarray:
    function = getattr(equations or numpy_equations(), name)
    return function(**{key: value.astype(float) for key, value in random_arguments(name).items()})


def scale(name: str) -> np.ndarray:
    """Return the size of the largest term, to which float32 errors are relative where terms cancel."""
    return np.maximum(np.abs(in_double(name)), 1.0)


def compiled(function, n_arguments: int):
    """Return an engine's scalar equation on a matrix of arguments."""
    names = ", ".join(f"x[{k}, i]" for k in range(n_arguments))
    source = f"def loop(x, out):\n    for i in range(out.size):\n        out[i] = function({names})\n    return out\n"
    scope = {"function": function}
    exec(source, scope)
    return numba.njit(error_model="numpy")(scope["loop"])


@pytest.mark.parametrize("name", TERMS)
def test_the_compiled_equations_agree_with_numpy_to_float32_accuracy(name):
    from neckar.dynamics._step import SATURATING

    arguments = np.stack(list(random_arguments(name).values()))
    found = compiled(getattr(SATURATING, name), len(arguments))(arguments, np.empty(N, np.float32))
    np.testing.assert_allclose(found / scale(name), in_double(name) / scale(name), rtol=5e-6, atol=3e-6)


@pytest.mark.parametrize("name", ["ota_current", "membrane_slope"])
def test_the_compiled_linear_equations_agree_with_numpy_without_saturation(name):
    from neckar.dynamics._step import LINEAR
    from neckar.equations import neuron_equations

    arguments = np.stack(list(random_arguments(name).values()))
    found = compiled(getattr(LINEAR, name), len(arguments))(arguments, np.empty(N, np.float32))
    expected = in_double(name, neuron_equations(np.exp, lambda x: x, np.maximum))
    np.testing.assert_allclose(found / scale(name), expected / scale(name), rtol=5e-6, atol=3e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", TERMS)
def test_the_torch_equations_agree_with_numpy(name):
    import torch

    from neckar.equations import torch_equations

    arguments = {key: torch.as_tensor(value.astype(float)) for key, value in random_arguments(name).items()}
    arguments |= {key: float(value[0]) for key, value in random_arguments(name).items() if key in ("v_floor", "v_width")}
    mine = {key: np.asarray(value) for key, value in arguments.items()}
    np.testing.assert_allclose(getattr(torch_equations(), name)(**arguments).numpy(), getattr(numpy_equations(), name)(**mine), rtol=1e-12, atol=1e-15)


@pytest.mark.slow
def test_the_torch_equations_are_differentiable():
    import torch

    from neckar.equations import torch_equations

    arguments = {key: torch.as_tensor(value[:50].astype(float)).requires_grad_() for key, value in random_arguments("membrane_slope").items()}
    names = list(arguments)
    assert torch.autograd.gradcheck(lambda *values: torch_equations().membrane_slope(**dict(zip(names, values, strict=True))), tuple(arguments.values()))


def test_without_saturation_the_leak_is_ohmic_and_with_it_bounded():
    v = np.linspace(-100, 100, 101)
    ota = numpy_equations().ota_current
    np.testing.assert_allclose(ota(v * 1e-5, 0.0, 2.0, 0.9), -2e-5 * v, rtol=1e-5, atol=1e-12)
    assert np.abs(ota(v, 0.0, 2.0, 0.9)).max() <= 1.8


def test_the_inhibition_gate_closes_at_its_floor():
    gate = numpy_equations().inhibition_gate
    np.testing.assert_array_equal(gate(np.array([0.0, 0.1, 0.128]), 0.128, 0.037), 0.0)
    assert gate(1.2, 0.128, 0.037) == pytest.approx(1.0)


def test_a_conductance_based_input_is_as_strong_as_usual_at_its_reference_and_vanishes_at_its_reversal_potential():
    gain = numpy_equations().conductance_gain
    for coba in (1.5, -2.0):
        assert gain(0.7, coba, 0.7) == 1.0
        assert gain(0.7 + 1 / coba, coba, 0.7) == pytest.approx(0.0, abs=1e-12)
        assert gain(0.7 + 2 / coba, coba, 0.7) == 0.0
        assert gain(0.7 - 0.5 / coba, coba, 0.7) == pytest.approx(1.5)
    np.testing.assert_array_equal(gain(np.linspace(0, 1.2, 5), 0.0, 0.7), 1.0)


def test_at_the_balance_the_amplifier_drains_the_current():
    """Exact up to rounding inside its reach; a current beyond that has the balance of 99 % of it."""
    e, g, current = np.array([0.6, 0.3, 0.9]), np.array([1e-6, 2e-7, 5e-6]), np.array([3e-7, -1e-7, 4e-6])
    v = ota_balance(current, e, g, 0.9)
    np.testing.assert_allclose(-numpy_equations().ota_current(v, e, g, 0.9), current, rtol=1e-12)
    np.testing.assert_allclose(ota_balance(np.array([1.0]), e[:1], g[:1], 0.9), ota_balance(0.99 * 0.9 * g[:1], e[:1], g[:1], 0.9))


def test_a_membrane_pulled_by_the_amplifier_alone_follows_its_closed_form():
    """Against 20000 steps of Heun's method with the equations; its error is the square of a step, 1e-8 of the way."""
    ota, e, v_sat, n = numpy_equations().ota_current, 0.5, 0.3, 20_000
    start = v = np.array([1.1, 0.2, 0.52])
    for _ in range(n):
        first = ota(v, e, 1.0, v_sat)
        v = v + (first + ota(v + first * 3 / n, e, 1.0, v_sat)) * 1.5 / n
    np.testing.assert_allclose(ota_relaxed(start, np.full(3, e), v_sat, np.full(3, 3.0)), v, rtol=1e-7)
