// The forward process on a picture of one's own.

import {Again} from '/again.js';
import {at, element, paint} from '/dom.js';
import {postJson, toBase64, toBlob} from '/drawing.js';
import {chooseFile} from '/pictures.js';

const kFrames = 21;
const kWait = 150;  // ms until a seed that is being typed is asked for

let again = null;
let photo = null;  // PNG
let frames = [];   // {timestep, picture, png}
let timer = 0;
let turn = 0;

function showFrame() {
  const frame = frames[Number(at('timestep').value)];
  const text = `${frame.timestep} of ${frames.at(-1).timestep}`;
  paint(at('noise-picture'), frame.picture, `Your picture with the noise of time ${text}`);
  at('timestep-shown').value = text;
  at('timestep').setAttribute('aria-valuetext', text);
}

function say(state, error = '') {
  at('noise-state').textContent = state;
  at('noise-error').textContent = error;
}

async function ask() {
  const mine = ++turn;
  try {
    const image = await toBase64(photo);
    const answer = await postJson('/diffusion/v1/noise', {image, frames: kFrames, seed: Number(at('noise-seed').value)});
    const made = await Promise.all(answer.frames.map(async ({timestep, png}) =>
      ({timestep, png: toBlob(png), picture: await createImageBitmap(toBlob(png))})));
    if (mine !== turn) return;
    const place = frames.length > 0 ? at('timestep').value : Math.floor(kFrames / 4);
    frames = made;
    at('timestep').max = frames.length - 1;
    at('timestep').value = place;
    at('timestep').disabled = false;
    showFrame();
    again.show(answer.command, [{name: 'picture.png', text: 'Save picture.png, as it was sent', blob: photo}]);
    say('Move the slider: noise comes in small steps, and in the end nothing else is left.');
  } catch (error) {
    if (mine === turn) say('', error.message);
  }
}

const take = (blob) => {
  photo = blob;
  return ask();
};

// A landscape, drawn here.
function example() {
  const canvas = element('canvas', {width: 128, height: 128});
  const context = canvas.getContext('2d', {alpha: false});
  const sky = context.createLinearGradient(0, 0, 0, 90);
  sky.addColorStop(0, '#2b4f8f');
  sky.addColorStop(1, '#f3b27a');
  context.fillStyle = sky;
  context.fillRect(0, 0, 128, 128);
  context.fillStyle = '#fff3c4';
  context.beginPath();
  context.arc(86, 58, 15, 0, 2 * Math.PI);
  context.fill();
  for (const [color, points] of [['#54658a', [0, 92, 34, 50, 70, 96, 100, 66, 128, 90]], ['#2f4a3a', [0, 104, 40, 86, 90, 108, 128, 98]]]) {
    context.fillStyle = color;
    context.beginPath();
    context.moveTo(0, 128);
    for (let k = 0; k < points.length; k += 2) context.lineTo(points[k], points[k + 1]);
    context.lineTo(128, 128);
    context.fill();
  }
  canvas.toBlob(take, 'image/png');
}

export function setUp(section) {
  again = new Again(section, 'noise-', 'The same pictures, byte for byte');
  chooseFile(at('noise-file'), 'noise-photo', take, (text) => say('', text));
  at('noise-example').addEventListener('click', example);
  at('timestep').addEventListener('input', showFrame);
  at('noise-seed').addEventListener('input', () => {
    clearTimeout(timer);
    if (photo && at('noise-seed').checkValidity()) timer = setTimeout(ask, kWait);
  });
}
