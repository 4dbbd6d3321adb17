// A slider between two seeds: frames whose noise is turned from one to the other.

import {Again} from '/again.js';
import {at, paint, say} from '/dom.js';
import {Drawing, outcome} from '/drawing.js';

let drawing = null;
let again = null;
let frames = [];  // {picture: ImageBitmap, command, png}

function showFrame() {
  const k = Number(at('share').value), last = frames.length - 1;
  const text = k === 0 ? 'the first seed' : k === last ? 'the second seed' : `${Math.round(100 * k / last)}% of the way`;
  paint(at('between-picture'), frames[k].picture, `The picture of ${text}`);
  at('share-shown').value = text;
  at('share').setAttribute('aria-valuetext', text);
  const name = String(k).padStart(6, '0') + '.png';
  again.show(frames[k].command, [{name, text: `Save this picture, pictures/${name}`, blob: frames[k].png}]);
}

export function setUp(section) {
  again = new Again(section, 'between-', 'All of them, byte for byte');
  at('share').addEventListener('input', showFrame);
}

export async function draw(wish, started) {
  stop();
  const newDrawing = await Drawing.start({...wish, to_seed: Number(at('to_seed').value), count: Number(at('count').value)});
  drawing = newDrawing;
  started();
  let done = 0;
  const end = await newDrawing.follow(() => {}, ({steps}) => {
    const percent = Math.floor(100 * ++done / (steps * Number(at('count').value)));
    if (newDrawing === drawing && percent % 10 === 0) say(`Drawing ... ${percent}%`);
  });
  if (newDrawing !== drawing) return '';
  if (end.state === 'done') {
    const results = await drawing.results();
    frames = await Promise.all(results.map(async (result) => ({...result, picture: await createImageBitmap(result.png)})));
    at('share').max = frames.length - 1;
    at('share').value = 0;
    at('share').disabled = false;
    showFrame();
  }
  return outcome(end, 'Done. Move the slider from one seed to the other.');
}

export function stop() {
  drawing?.cancel();
}
