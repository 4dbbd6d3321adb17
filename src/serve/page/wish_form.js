// The form that says what to draw, which several panels share.

import {at, element, option} from '/dom.js';

const kComparedAtFirst = ['ddim', 'euler_ancestral', 'heun', 'dpmpp_2m'];

let models = [];

export const chosenModel = () => models.find((model) => model.name === at('model').value);

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
  at('samplers').replaceChildren(...model.samplers.map(({name}) => element('label', {class: 'check'},
    element('input', {type: 'checkbox', value: name, checked: kComparedAtFirst.includes(name)}), ` ${name}`)));
  at('steps').value = model.default.steps;
  at('guidance').value = model.default.guidance;
}

// `known`: the models of the server's capabilities.
export function fillForm(known) {
  models = known;
  at('model').replaceChildren(...models.map((model) => option(model.name, model.name)));
  showModel();
  at('model').addEventListener('change', showModel);
}

// The fields of a panel; those of others are hidden and need no values.
export function showFieldsOf(panel) {
  for (const field of at('wish').querySelectorAll('[data-panels]')) {
    field.hidden = !field.dataset.panels.split(' ').includes(panel);
    for (const input of field.querySelectorAll('input, select')) input.disabled = field.hidden;
  }
}

export const checkedSamplers = () => [...at('samplers').querySelectorAll('input:checked')].map((input) => input.value);

// What all panels ask for.
export function wishOfForm() {
  const model = chosenModel();
  const wish = {
    model: model.name, seed: Number(at('seed').value), sampler: at('sampler').value, steps: Number(at('steps').value),
  };
  if (model.class_count > 0) wish.label = at('label').value;
  if (model.words) wish.prompt = at('prompt').value;
  if (model.guidance) wish.guidance = Number(at('guidance').value);
  return wish;
}

// The field of that name as wrong, all others as right.
export function markWrong(name) {
  for (const field of at('wish').elements) field.removeAttribute('aria-invalid');
  if (name && at(name)?.form === at('wish')) at(name).setAttribute('aria-invalid', 'true');
}
