import {Drawing, getJson} from '/drawing.js';

const at = (id) => document.getElementById(id);
const kPrevious = 'diffusion-job';  // so that a reload finds it again

let models = [];
let drawing = null;
let atEnd = true;  // the slider follows the newest step until somebody moves it

function option(value, text) {
  const element = document.createElement('option');
  element.value = value;
  element.textContent = text;
  return element;
}

const chosenModel = () => models.find((model) => model.name === at('model').value);

function showModel() {
  const model = chosenModel();
  at('class-field').hidden = model.class_count === 0;
  at('prompt-field').hidden = !model.words;
  at('guidance-field').hidden = !model.guidance;
  const names = model.class_names.length > 0 ? model.class_names : Array.from({length: model.class_count}, (_, k) => `${k}`);
  at('label').replaceChildren(...names.map((name, k) => option(`${k}`, name)));
  if (model.guidance && model.class_count > 0) at('label').append(option('none', 'no class'));
  at('sampler').replaceChildren(...model.samplers.map((sampler) => option(sampler.name, sampler.name)));
  at('sampler').value = model.default.sampler;
  at('steps').value = model.default.steps;
  at('guidance').value = model.default.guidance;
}

function wishOfForm() {
  const model = chosenModel();
  const steps = Number(at('steps').value);
  const wish = {
    model: model.name, seed: Number(at('seed').value), sampler: at('sampler').value, steps, previews: steps,
  };
  if (model.class_count > 0) wish.label = at('label').value;
  if (model.words) wish.prompt = at('prompt').value;
  if (model.guidance) wish.guidance = Number(at('guidance').value);
  return wish;
}

function showFrame(index) {
  const frame = drawing.frames[index];
  const canvas = at('picture');
  canvas.width = frame.picture.width;
  canvas.height = frame.picture.height;
  canvas.getContext('2d').drawImage(frame.picture, 0, 0);
  canvas.setAttribute('aria-label', `The picture after step ${frame.step} of ${frame.steps}`);
  at('step-shown').value = `${frame.step} of ${frame.steps}`;
  at('step').setAttribute('aria-valuetext', `${frame.step} of ${frame.steps}`);
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

function say(state, error = '') {
  at('state').textContent = state;
  at('error').textContent = error;
}

async function showResult() {
  const {command, png} = await drawing.result();
  at('command').textContent = command;
  if (at('download').href.startsWith('blob:')) URL.revokeObjectURL(at('download').href);
  at('download').href = URL.createObjectURL(png);
  at('again').hidden = false;
}

async function follow(newDrawing) {
  drawing = newDrawing;
  atEnd = true;
  at('step').disabled = true;
  at('again').hidden = true;
  at('cancel').disabled = false;
  say('Drawing ...');
  sessionStorage.setItem(kPrevious, drawing.id);
  const end = await newDrawing.follow(showNewest);
  if (newDrawing !== drawing) return;
  at('cancel').disabled = true;
  if (end.state !== 'done') sessionStorage.removeItem(kPrevious);
  if (end.state === 'done') await showResult();
  say({done: 'Done. Move the slider to see the steps again.', cancelled: 'Stopped.'}[end.state] ?? '', end.error ?? '');
}

async function draw(event) {
  event.preventDefault();
  at('draw').disabled = true;
  if (drawing) drawing.stopper.abort();
  for (const field of at('wish').elements) field.removeAttribute('aria-invalid');
  try {
    const started = await Drawing.start(wishOfForm());
    at('draw').disabled = false;
    await follow(started);
  } catch (error) {
    say('', error.message);
    if (error.field && at(error.field)) at(error.field).setAttribute('aria-invalid', 'true');
  } finally {
    at('draw').disabled = false;
  }
}

async function start() {
  try {
    models = (await getJson('/diffusion/v1/capabilities')).models;
  } catch {
    return say('', 'The server cannot be reached; reload the page to try again.');
  }
  at('model').replaceChildren(...models.map((model) => option(model.name, model.name)));
  showModel();
  at('model').addEventListener('change', showModel);
  at('wish').addEventListener('submit', draw);
  at('cancel').addEventListener('click', () => drawing?.cancel());
  at('step').addEventListener('input', () => {
    const index = Number(at('step').value);
    atEnd = index === drawing.frames.length - 1;
    showFrame(index);
  });
  const previous = sessionStorage.getItem(kPrevious);
  if (previous) await follow(new Drawing({id: previous}));
}

start();
