// Particles in the plane: forward into noise, and backward along the exact score, with the ODE and the SDE side by
// side from the same noise.

import {at, element, prefersStillness} from '/dom.js';
import {backward, forward, kEnd, times} from '/mixture.js';
import {drawParticles, kReach} from '/particles.js';

const kCount = 400, kMostSteps = 120, kStepKey = 0.1;
const kArrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1]};
const kColors = 3;  // classes of the stylesheet: centre-0, ...

let centres = [[-1.4, -0.8], [1.5, -0.5], [0, 1.4]];
let spread = 0.18;
let seed = 1;
let steps = kMostSteps;
let states = null;  // {forth, ode, sde}
let stage = 0;      // 0 to `steps` forward, to 2 `steps` backward
let timer = 0;
let handles = [];

const input = (id, label, attributes) => element('p', {}, element('label', {for: id}, label), element('input', {id, ...attributes}));

function compute() {
  const along = times(steps);
  const forth = forward(centres, spread, kCount, along, seed);
  const start = forth.at(-1);
  states = {forth, ode: backward(centres, spread, start, along, false, seed + 1), sde: backward(centres, spread, start, along, true, seed + 1)};
  show();
}

function show() {
  const back = stage > steps, step = back ? stage - steps : stage;
  const t = times(steps)[back ? steps - step : step];
  for (const [id, path, name] of [['ode', states.ode, 'ODE, without noise'], ['sde', states.sde, 'SDE, with fresh noise']]) {
    const canvas = at(`particles-${id}`);
    drawParticles(canvas, back ? path : states.forth, step, t, centres, spread);
    canvas.setAttribute('aria-label', `${kCount} particles, ${back ? `backward by the ${name}` : 'forward'}, at time ${t.toFixed(2)}`);
  }
  const text = `${back ? 'backward' : 'forward'}, t = ${t.toFixed(2)}`;
  at('stage').value = stage;
  at('stage').setAttribute('aria-valuetext', text);
  at('stage-shown').value = text;
}

function stopPlaying() {
  cancelAnimationFrame(timer);
  timer = 0;
}

// From one stage to another, in about four seconds; at once for those who prefer stillness.
function play(from, to) {
  stopPlaying();
  if (prefersStillness()) {
    stage = to;
    return show();
  }
  const begin = performance.now();
  const frame = (now) => {
    stage = Math.min(Math.round(from + (to - from) * Math.max(now - begin, 0) / 4000), to);
    show();
    timer = stage < to ? requestAnimationFrame(frame) : 0;
  };
  timer = requestAnimationFrame(frame);
}

// As far on the way as before.
function takeSteps(wanted) {
  stopPlaying();
  stage = Math.round(stage * wanted / steps);
  steps = wanted;
  at('stage').max = 2 * steps;
  compute();
}

function placeHandle(k) {
  const [x, y] = centres[k];
  handles[k].style.left = `${50 + 50 * x / kReach}%`;
  handles[k].style.top = `${50 - 50 * y / kReach}%`;
  handles[k].setAttribute('aria-label', `Centre ${k + 1} at ${x.toFixed(1)}, ${y.toFixed(1)}; move it with the arrow keys`);
}

function moveCentre(k, x, y) {
  const limit = (value) => Math.min(Math.max(value, -0.95 * kReach), 0.95 * kReach);
  centres[k] = [limit(x), limit(y)];
  placeHandle(k);
  compute();
}

function makeHandle(k, plane) {
  const handle = element('button', {type: 'button', class: `handle centre-${k % kColors}`, id: `centre-${k}`});
  handle.addEventListener('keydown', (event) => {
    const move = kArrows[event.key];
    if (!move) return;
    event.preventDefault();
    moveCentre(k, centres[k][0] + kStepKey * move[0], centres[k][1] + kStepKey * move[1]);
  });
  handle.addEventListener('pointerdown', (event) => handle.setPointerCapture(event.pointerId));
  handle.addEventListener('pointermove', (event) => {
    if (!handle.hasPointerCapture(event.pointerId)) return;
    const box = plane.getBoundingClientRect();
    moveCentre(k, ((event.clientX - box.left) / box.width * 2 - 1) * kReach, (1 - (event.clientY - box.top) / box.height * 2) * kReach);
  });
  return handle;
}

function plane(id, title, text) {
  const canvas = element('canvas', {id: `particles-${id}`, width: 600, height: 600, role: 'img', class: 'smooth'});
  return element('figure', {}, element('div', {class: 'plane', id: `plane-${id}`}, canvas),
    element('figcaption', {}, element('strong', {}, title), ` ${text}`));
}

export function setUp(section) {
  section.append(
    element('div', {class: 'planes'},
      plane('ode', 'ODE:', 'no noise on the way back; a smooth path from each point'),
      plane('sde', 'SDE:', 'twice the score, and fresh noise that undoes the rest of it')),
    element('p', {}, element('label', {for: 'stage'}, 'Time, from the data to noise and back: ', element('output', {id: 'stage-shown'})),
      element('input', {id: 'stage', type: 'range', min: 0, max: 2 * steps, value: 0})),
    element('p', {class: 'buttons'},
      element('button', {id: 'forward', type: 'button', onclick: () => play(0, steps)}, 'Into noise'),
      element('button', {id: 'backward', type: 'button', onclick: () => play(steps, 2 * steps)}, 'And back'),
      element('button', {id: 'pause', type: 'button', class: 'second', onclick: stopPlaying}, 'Hold')),
    element('div', {class: 'pair'},
      input('spread', 'Width of each heap', {type: 'range', min: 0.05, max: 0.6, step: 0.01, value: spread}),
      input('physics-steps', 'Steps: few show what a coarse sampler does', {type: 'range', min: 3, max: kMostSteps, step: 1, value: steps}),
      input('physics-seed', 'Seed: which particles and noise', {type: 'number', min: 0, max: 4294967295, step: 1, value: seed})),
    element('p', {class: 'hint'}, 'The numbered circles are centres of the data; drag them, or move them with the arrow keys. Forward, dx = -x/2 dt + dW; '
      + `at t = ${kEnd} hardly anything is left of the data. Back, the ODE takes x/2 + score/2, the SDE x/2 + score and new noise: at every time both have the same density. `
      + 'Lines show where some particles have been.'));
  handles = centres.map((_, k) => makeHandle(k, at('plane-ode')));
  handles.forEach((handle, k) => handle.append(`${k + 1}`));
  at('plane-ode').append(...handles);
  handles.forEach((_, k) => placeHandle(k));
  at('stage').addEventListener('input', () => { stopPlaying(); stage = Number(at('stage').value); show(); });
  at('spread').addEventListener('input', () => { spread = Number(at('spread').value); compute(); });
  at('physics-steps').addEventListener('input', () => takeSteps(Number(at('physics-steps').value)));
  at('physics-seed').addEventListener('input', () => { if (at('physics-seed').checkValidity()) { seed = Number(at('physics-seed').value); compute(); } });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);
  compute();
}

export const left = stopPlaying;
