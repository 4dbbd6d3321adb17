// A mixture of Gaussians in the plane under noise, whose score is known exactly, and particles that follow it.
//
// Forward: dx = -x/2 dt + dW (Ornstein-Uhlenbeck; what DDPM does in the limit of small steps). A particle that
// starts at x0 is at time t N(a x0, 1 - a^2), a = exp(-t/2). So the mixture stays one: centres a c_k, variance
// a^2 s^2 + 1 - a^2. Backward in time there are two ways with the same densities (Song et al. 2021, arXiv
// 2011.13456): the SDE, dx = (x/2 + score) dt + dW, and the ODE, dx = (x/2 + score/2) dt.

export const kEnd = 6;  // time at which exp(-t/2) is 0.05: hardly anything is left

// `centres`: [[x, y], ...], all of equal weight; `spread`: the standard deviation of each at time 0.
export const variance = (spread, t) => Math.exp(-t) * spread * spread + 1 - Math.exp(-t);

function weights(centres, spread, x, y, t) {
  const a = Math.exp(-t / 2), v = variance(spread, t);
  const logs = centres.map(([cx, cy]) => -((x - a * cx) ** 2 + (y - a * cy) ** 2) / (2 * v));
  const most = Math.max(...logs);
  const parts = logs.map((log) => Math.exp(log - most));
  const sum = parts.reduce((total, part) => total + part, 0);
  return {a, v, parts, sum, log: most + Math.log(sum / centres.length) - Math.log(2 * Math.PI * v)};
}

export const logDensity = (centres, spread, x, y, t) => weights(centres, spread, x, y, t).log;

// The gradient of logDensity() in (x, y).
export function score(centres, spread, x, y, t) {
  const {a, v, parts, sum} = weights(centres, spread, x, y, t);
  let gx = 0, gy = 0;
  centres.forEach(([cx, cy], k) => {
    gx += parts[k] / sum * (a * cx - x) / v;
    gy += parts[k] / sum * (a * cy - y) / v;
  });
  return [gx, gy];
}

// Random numbers that a seed decides (mulberry32), uniform in [0, 1), and normal ones of them.
export function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return {uniform, normal};
}

// Times from 0 to kEnd, closer to each other at the beginning, where the density is narrow.
export const times = (steps) => Array.from({length: steps + 1}, (_, k) => kEnd * (k / steps) ** 2);

// Particles [x0, y0, x1, y1, ...] at each of `times`: from the mixture into noise, exactly distributed.
export function forward(centres, spread, count, along, seed) {
  const {uniform, normal} = normals(seed);
  let now = Float64Array.from({length: 2 * count}, () => spread * normal());
  for (let k = 0; k < count; ++k) {
    const centre = centres[Math.floor(uniform() * centres.length)];
    now[2 * k] += centre[0];
    now[2 * k + 1] += centre[1];
  }
  const states = [now];
  for (let n = 1; n < along.length; ++n) {
    const a = Math.exp(-(along[n] - along[n - 1]) / 2), std = Math.sqrt(1 - a * a);
    now = now.map((value) => a * value + std * normal());
    states.push(now);
  }
  return states;
}

// From `start` at the last of the times back to 0, states in that order. `noisy`: the SDE, by steps of
// Euler-Maruyama; else the ODE, by steps of Heun.
export function backward(centres, spread, start, along, noisy, seed) {
  const {normal} = normals(seed);
  let now = Float64Array.from(start);
  const states = [now];
  const strength = noisy ? 1 : 0.5;
  const slope = (x, y, t) => {
    const [gx, gy] = score(centres, spread, x, y, t);
    return [x / 2 + strength * gx, y / 2 + strength * gy];
  };
  for (let n = along.length - 1; n > 0; --n) {
    const t = along[n], h = t - along[n - 1];
    const next = new Float64Array(now.length);
    for (let k = 0; k < now.length; k += 2) {
      const x = now[k], y = now[k + 1];
      const [dx, dy] = slope(x, y, t);
      if (noisy) {
        next[k] = x + h * dx + Math.sqrt(h) * normal();
        next[k + 1] = y + h * dy + Math.sqrt(h) * normal();
      } else {
        const [ex, ey] = slope(x + h * dx, y + h * dy, along[n - 1]);
        next[k] = x + h * (dx + ex) / 2;
        next[k + 1] = y + h * (dy + ey) / 2;
      }
    }
    now = next;
    states.push(now);
  }
  return states;
}
