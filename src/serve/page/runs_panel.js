// Trainings below the server's --runs: curves, held-out loss by noise level, previews.

import {Again} from '/again.js';
import {at, element, option} from '/dom.js';
import {getJson} from '/drawing.js';
import {chart} from '/chart.js';

const kPause = 5000;  // ms between two looks

let timer = 0;
let again = null;
let previewOf = '';  // which preview is shown

const number = (value) => Number(value.toPrecision(4)).toString();

function duration(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 6000) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

function byLevel(heldOut) {
  const newest = heldOut.at(-1);
  if (!newest) return [];
  const same = heldOut.filter(({sigma}) => sigma.length === newest.sigma.length);
  return newest.loss_by_sigma.map((_, k) => ({
    name: `sigma ${number(Number(newest.sigma[k].toPrecision(2)))} to ${number(Number(newest.sigma[k + 1].toPrecision(2)))}`,
    style: `series-${k % 7}`, x: same.map(({step}) => step), y: same.map(({loss_by_sigma: loss}) => loss[k]),
  }));
}

function showPreview(name, previews) {
  const slider = at('preview');
  at('preview-box').hidden = previews.length === 0;
  if (previews.length === 0) return;
  const atEnd = Number(slider.value) === Number(slider.max);
  slider.max = previews.length - 1;
  if (atEnd) slider.value = slider.max;
  const step = previews[Number(slider.value)];
  at('preview-shown').value = `${step}`;
  slider.setAttribute('aria-valuetext', `step ${step}`);
  const path = `/diffusion/v1/runs/${encodeURIComponent(name)}/previews/${step}`;
  if (path === previewOf) return;
  previewOf = path;
  at('preview-picture').src = path;
  at('preview-picture').alt = `What the model drew at step ${step}`;
}

function showRun(run) {
  if (run.error !== null) {
    at('run-charts').replaceChildren(element('p', {class: 'bad'}, run.error));
    at('run-facts').textContent = '';
    return again.hide();
  }
  const heldOut = run.held_out;
  at('run-facts').textContent = `Step ${run.steps}, after ${duration(run.seconds)}; last step ${duration(run.idle_seconds)} ago. `
    + `Loss ${number(run.loss)}${heldOut.length > 0 ? `, held-out ${number(heldOut.at(-1).loss)}` : ''}. ${run.outlook}`;
  const series = [
    {name: 'each step', style: 'faint', x: run.curve.step, y: run.curve.loss},
    {name: 'training', style: 'series-0', x: run.curve.step, y: run.curve.smoothed},
  ];
  if (heldOut.length > 0)
    series.push({name: 'held-out', style: 'series-1', x: heldOut.map(({step}) => step), y: heldOut.map(({loss}) => loss)});
  const charts = [chart('Loss', series)];
  if (heldOut.length > 0) charts.push(chart('Held-out loss by noise level', byLevel(heldOut)));
  at('run-charts').replaceChildren(...charts);
  again.show(run.command, []);
}

async function look() {
  clearTimeout(timer);
  timer = 0;
  try {
    const {runs} = await getJson('/diffusion/v1/runs');
    const select = at('run'), chosen = select.value;
    if (runs.map(({name}) => name).join('\n') !== [...select.options].map(({value}) => value).join('\n')) {
      select.replaceChildren(...runs.map(({name}) => option(name, name)));
      const newest = runs.reduce((best, run) => (!best || run.idle_seconds < best.idle_seconds ? run : best), null);
      select.value = runs.some(({name}) => name === chosen) ? chosen : newest?.name ?? '';
    }
    at('run-box').hidden = runs.length === 0;
    at('runs-state').textContent = runs.length === 0 ? 'There is no training in the folder yet.' : '';
    if (runs.length > 0) {
      const run = await getJson(`/diffusion/v1/runs/${encodeURIComponent(select.value)}`);
      showRun(run);
      showPreview(run.name, run.previews);
    }
    timer = setTimeout(look, kPause);
  } catch (error) {
    at('runs-state').textContent = error.message;
  }
}

export function setUp(section) {
  section.append(
    element('p', {id: 'runs-state', role: 'status'}),
    element('div', {id: 'run-box', hidden: true},
      element('p', {}, element('label', {for: 'run'}, 'Training'), element('select', {id: 'run', onchange: look})),
      element('p', {id: 'run-facts'}),
      element('div', {id: 'run-charts', class: 'pair'}),
      element('div', {id: 'preview-box', hidden: true},
        element('h3', {}, 'What it drew on the way'),
        element('p', {}, element('label', {for: 'preview'}, 'Step ', element('output', {id: 'preview-shown'})),
          element('input', {id: 'preview', type: 'range', min: 0, max: 0, value: 0, oninput: look})),
        element('img', {id: 'preview-picture', alt: ''}))));
  again = new Again(at('run-box'), 'run-', 'The curves as a drawing');
}

// Without a folder there is nothing to ask for again and again.
export const shown = () => { look(); };

export function left() {
  clearTimeout(timer);
  timer = 0;
}
