"""Solvers of ordinary differential equations; torchdiffeq is imported only when needed."""

from geozoo.ode.solvers import ADAPTIVE, FIXED, Integrator, check_solver, odeint, odeint_states

__all__ = ["ADAPTIVE", "FIXED", "Integrator", "check_solver", "odeint", "odeint_states"]
