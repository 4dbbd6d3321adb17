#pragma once

// What the integrators over lambda = -log sigma share that take the linear part of the ODE or SDE exactly.

namespace diffusion {

// (exp(-q) - 1) / q + 1, which is q/2 - q^2/6 + ...: the weight of D's slope in a step.
double slope_weight(double q);

// a exp(-a h) times the integral of exp(a v) v^power over v in [0, h], for a > 0 and a finite h >= 0: the
// weight of the monomial v^power of D in a step over h, where D at the start of the step is at v = 0.
double monomial_weight(double a, double h, int power);

}  // namespace diffusion
