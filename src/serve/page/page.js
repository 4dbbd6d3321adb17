// Which panel is shown, and the buttons that all of them share. A panel's module exports setUp(section), called
// once; those that draw also draw(wish, started), which calls started() when the server has the job and resolves
// with what to say at the end, and stop(); resume(), such a drawing that was under way, or null; those that move,
// shown() and left().

import {getJson} from '/drawing.js';
import {at, say} from '/dom.js';
import {fillForm, markWrong, showFieldsOf, wishOfForm} from '/wish_form.js';

const kPanels = {
  draw: {
    title: 'From noise to a picture', draws: true, load: () => import('/draw_panel.js'),
    about: 'A model starts from noise and takes a little of it away in every step. Choose what it should draw, and watch.',
  },
  compare: {
    title: 'Samplers side by side', draws: true, load: () => import('/compare_panel.js'),
    about: 'The same noise, the same model, and different ways to go: some follow a curve closely, some add fresh noise on the way. With few steps they differ most.',
  },
  between: {
    title: 'Between two seeds', draws: true, load: () => import('/between_panel.js'),
    about: 'The noise of one seed is turned into that of the other. Every noise on the way is as random as its ends, so every picture is a picture.',
  },
  mask: {
    title: 'A picture with new parts', draws: true, load: () => import('/mask_panel.js'),
    about: 'Paint over a part of a picture: the model draws it anew so that it fits to the rest, which stays as it is.',
  },
  noise: {
    title: 'How a photo drowns in noise', draws: false, load: () => import('/noise_panel.js'),
    about: 'Training begins with the opposite of drawing: noise is added to pictures, more and more, until nothing else is left.',
  },
  physics: {
    title: 'Particles, and how they find back', draws: false, load: () => import('/physics_panel.js'),
    about: 'Each dot is a picture of two numbers. Noise drives all of them apart; the score, the slope of the logarithm of their density, leads them back. Here it is known exactly: no network, computed in your browser.',
  },
  runs: {
    title: 'Trainings', draws: false, load: () => import('/runs_panel.js'),
    about: 'How trainings on this machine are getting on.',
  },
};

const loaded = {};
let shown = null;  // the name of a panel
let latest = 0;    // who may say how it went

async function show() {
  const name = location.hash.slice(2) || 'draw';  // "#/draw": no id of an element
  if (!(name in kPanels) || name === shown) return;
  loaded[shown]?.stop?.();
  loaded[shown]?.left?.();
  if (shown) say('');
  ++latest;
  rest();
  shown = name;
  const {title, about, draws, load} = kPanels[name];
  at('title').textContent = title;
  at('about').textContent = about;
  document.title = `${title} · diffusion`;
  for (const link of at('nav').querySelectorAll('a')) {
    if (link.hash === `#/${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== `panel-${name}`;
  at('wish').hidden = !draws;
  at('main').classList.toggle('alone', !draws);
  showFieldsOf(name);
  if (!loaded[name]) {
    const panel = await load();
    if (!loaded[name]) {
      loaded[name] = panel;
      await panel.setUp(at(`panel-${name}`));
      const resumed = panel.resume?.();
      if (resumed) run(resumed);
    }
  }
  if (shown === name) loaded[name].shown?.();
}

// Does what a button asked for, and says how it went unless something else has been asked for meanwhile.
async function run(work) {
  const mine = ++latest;
  const still = (act) => { if (mine === latest) act(); };
  markWrong(null);
  at('draw').disabled = true;
  say('Drawing ...');
  const started = () => still(() => {
    at('draw').disabled = false;
    at('cancel').disabled = false;
  });
  try {
    const outcome = await work(started);
    still(() => say(outcome));
  } catch (error) {
    still(() => {
      say('', error.message);
      markWrong(error.field);
    });
  } finally {
    still(rest);
  }
}

function rest() {
  at('draw').disabled = false;
  at('cancel').disabled = true;
}

function draw(event) {
  event.preventDefault();
  const panel = loaded[shown];
  if (panel?.draw) run((started) => panel.draw(wishOfForm(), started));
}

async function start() {
  try {
    fillForm((await getJson('/diffusion/v1/capabilities')).models);
  } catch {
    return say('', 'The server cannot be reached; reload the page to try again.');
  }
  at('wish').addEventListener('submit', draw);
  at('cancel').addEventListener('click', () => loaded[shown]?.stop?.());
  addEventListener('hashchange', show);
  await show();
}

start();
