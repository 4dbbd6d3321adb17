// Samplers side by side: one job for each, all from the same noise.

import {Again} from '/again.js';
import {at, element, paint, say} from '/dom.js';
import {Drawing, outcome} from '/drawing.js';
import {checkedSamplers} from '/wish_form.js';

const kAtOnce = 4;     // each holds a connection, of which browsers have six
const kPreviews = 50;  // at most, of each

let tiles = [];  // {sampler, drawing, canvas, box}
let turn = 0;    // which drawing of the panel is the newest

function makeTile(sampler, size) {
  const canvas = element('canvas', {width: size.width, height: size.height, role: 'img', 'aria-label': `${sampler}: no picture yet`});
  const step = element('span', {class: 'hint'});
  const box = element('figure', {}, canvas, element('figcaption', {}, element('strong', {}, sampler), ' ', step));
  at('tiles').append(box);
  return {sampler, canvas, box, step, drawing: null};
}

// Each tile as far on its way as the slider says, or at its newest step.
function showTile(tile) {
  const frames = tile.drawing?.frames ?? [];
  if (frames.length === 0) return;
  const share = Number(at('way').value) / 100;
  const wanted = share * frames[0].steps;
  const frame = frames.find(({step}) => step >= wanted - 1e-9) ?? frames.at(-1);
  paint(tile.canvas, frame.picture, `${tile.sampler}, after step ${frame.step} of ${frame.steps}`);
  tile.step.textContent = `${frame.step} of ${frame.steps}`;
}

function showAll() {
  const percent = Number(at('way').value);
  at('way-shown').value = percent === 100 ? 'to the end' : `${percent}%`;
  tiles.forEach(showTile);
}

export function setUp() {
  at('way').addEventListener('input', showAll);
}

async function drawTile(tile, wish, mine, onDone) {
  if (mine !== turn) return;
  tile.drawing = await Drawing.start({...wish, sampler: tile.sampler, previews: Math.min(wish.steps, kPreviews)});
  if (mine !== turn) return tile.drawing.cancel();
  const end = await tile.drawing.follow(() => showTile(tile));
  if (mine !== turn) return;
  outcome(end);
  if (end.state !== 'done') return;
  const [{command, png}] = await tile.drawing.results();
  const details = element('details', {}, element('summary', {}, 'Byte for byte'));
  tile.box.append(details);
  new Again(details, `${tile.sampler}-`, null)
    .show(command, [{name: `${tile.sampler}.png`, text: 'Save', blob: png}]);
  onDone();
}

export async function draw(wish, started) {
  stop();
  const names = checkedSamplers();
  if (names.length === 0) throw new Error('No sampler is chosen; choose one or more.');
  const mine = ++turn;
  at('tiles').replaceChildren();
  at('way').disabled = false;
  at('way').value = 100;
  showAll();
  tiles = names.map((sampler) => makeTile(sampler, {width: 28, height: 28}));
  started();
  let done = 0;
  const left = [...tiles];
  const work = async () => {
    for (let tile = left.shift(); tile; tile = left.shift())
      await drawTile(tile, wish, mine, () => say(`${++done} of ${names.length} are done.`));
  };
  await Promise.all(Array.from({length: kAtOnce}, work));
  return done === names.length ? 'Done. Move the slider to see them on their way.' : 'Stopped.';
}

export function stop() {
  ++turn;
  for (const {drawing} of tiles) drawing?.cancel();
}
