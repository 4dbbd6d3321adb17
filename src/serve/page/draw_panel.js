// Live denoising, with a slider over the steps that were seen.

import {Again} from '/again.js';
import {at, paint} from '/dom.js';
import {Drawing, outcome} from '/drawing.js';

const kPrevious = 'diffusion-job';  // so that a reload finds it again

let drawing = null;
let again = null;
let atEnd = true;  // the slider follows the newest step until somebody moves it

function showFrame(index) {
  const {step, steps, picture} = drawing.frames[index];
  paint(at('picture'), picture, `The picture after step ${step} of ${steps}`);
  at('step-shown').value = `${step} of ${steps}`;
  at('step').setAttribute('aria-valuetext', `${step} of ${steps}`);
}

function showNewest(of) {
  if (of !== drawing) return;
  const last = drawing.frames.length - 1;
  at('step').disabled = false;
  at('step').max = last;
  if (!atEnd) return;
  at('step').value = last;
  showFrame(last);
}

export function setUp(section) {
  again = new Again(section, '');
  at('step').addEventListener('input', () => {
    const index = Number(at('step').value);
    atEnd = index === drawing.frames.length - 1;
    showFrame(index);
  });
}

async function follow(newDrawing) {
  drawing = newDrawing;
  atEnd = true;
  at('step').disabled = true;
  again.hide();
  sessionStorage.setItem(kPrevious, drawing.id);
  const end = await newDrawing.follow(showNewest);
  if (newDrawing !== drawing) return '';
  if (end.state !== 'done') sessionStorage.removeItem(kPrevious);
  if (end.state === 'done') {
    const [{command, png}] = await drawing.results();
    again.show(command, [{name: 'picture.png', text: 'Save the picture', blob: png}]);
  }
  return outcome(end, 'Done. Move the slider to see the steps again.');
}

export async function draw(wish, started) {
  stop();
  const newDrawing = await Drawing.start({...wish, previews: wish.steps});
  started();
  return follow(newDrawing);
}

export function resume() {
  const id = sessionStorage.getItem(kPrevious);
  return id && ((started) => {
    started();
    return follow(new Drawing({id}));
  });
}

export function stop() {
  drawing?.cancel();
}
