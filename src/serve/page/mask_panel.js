// A part of a picture drawn anew: RePaint, as `diffusion edit --mask`.

import {Again} from '/again.js';
import {at, paint} from '/dom.js';
import {drawn, Drawing, outcome, toBase64} from '/drawing.js';
import {MaskEditor} from '/mask_editor.js';
import {chooseFile} from '/pictures.js';
import {wishOfForm} from '/wish_form.js';

const kPreviews = 30;  // at most: steps go up and down, so there are many

let editor = null;
let original = null;  // PNG of the model's size
let drawing = null;
let again = null;

const tell = (text) => { at('mask-state').textContent = text; };

// `work` makes results of a job, of which the first becomes the picture.
async function choose(work) {
  tell('One moment ...');
  try {
    original = (await work())[0].png;
    editor.take(await createImageBitmap(original));
    tell('Now paint over what is to be drawn anew.');
  } catch (error) {
    tell(error.message);
  }
}

// With strength 0 the server answers the picture as the model has pictures.
async function fit(blob) {
  const {model} = wishOfForm();
  const image = await toBase64(blob);
  return choose(() => drawn({model, image, strength: 0}));
}

export function setUp(section) {
  editor = new MaskEditor(at('mask-canvas'), () => Number(at('brush').value), () => at('erase').checked, tell);
  again = new Again(section, 'mask-', 'The same picture, byte for byte');
  chooseFile(at('mask-file'), 'mask-photo', fit, tell);
  at('mask-sample').addEventListener('click', () => choose(() => drawn(wishOfForm())));
  at('mask-half').addEventListener('click', () => editor.change((old, x, y) => Number(y >= editor.height / 2)));
  at('mask-invert').addEventListener('click', () => editor.change((old) => 1 - old));
  at('mask-clear').addEventListener('click', () => editor.change(() => 0));
  at('brush').addEventListener('input', () => { at('brush-shown').value = at('brush').value; });
}

export async function draw(wish, started) {
  if (!original) throw new Error('There is no picture yet: choose one, or take one that the model draws.');
  if (editor.painted === 0) throw new Error('Nothing is painted over, so there is nothing to draw anew.');
  if (editor.painted === editor.mask.length) throw new Error('All is painted over, so there is nothing to keep.');
  stop();
  const maskPng = await editor.png();
  const newDrawing = await Drawing.start({
    ...wish, image: await toBase64(original), mask: await toBase64(maskPng), previews: Math.min(wish.steps, kPreviews),
  });
  drawing = newDrawing;
  again.hide();
  started();
  const picture = original;
  const end = await newDrawing.follow(({frames}) => {
    const {step, steps, picture: newest} = frames.at(-1);
    if (newDrawing === drawing) paint(at('mask-picture'), newest, `The picture after move ${step} of ${steps}`);
  });
  if (newDrawing !== drawing) return '';
  if (end.state === 'done') {
    const [{command, png}] = await drawing.results();
    paint(at('mask-picture'), await createImageBitmap(png), 'The picture with new parts');
    again.show(command, [{name: '000000.png', text: 'Save the result', blob: png},
      {name: 'picture.png', text: 'Save picture.png', blob: picture}, {name: 'mask.png', text: 'Save mask.png', blob: maskPng}]);
  }
  return outcome(end, 'Done. What was not painted over is the same to the byte.');
}

export function stop() {
  drawing?.cancel();
}
