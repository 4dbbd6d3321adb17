#pragma once

#include "graph/ops.h"

namespace diffusion {

// Scalar forms of the activations, the one place that defines them:
//   silu x sigmoid(x);  gelu x Phi(x), Phi the normal distribution function;  mish x tanh(log(1 + e^x));
//   relu max(x, 0), with derivative 0 at 0.  Finite for every finite x.
double activate(Activation activation, double x);
double activate_derivative(Activation activation, double x);

}  // namespace diffusion
