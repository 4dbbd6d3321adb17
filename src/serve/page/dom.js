// What the panels make and fill.

export const at = (id) => document.getElementById(id);

// An element with attributes (those that are no attributes, such as onclick, are set) and children.
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (typeof value === 'boolean') made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export const option = (value, text) => element('option', {value}, text);

// A picture on a canvas, which takes its size, and what it shows for those who do not see it.
export function paint(canvas, picture, text) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext('2d').drawImage(picture, 0, 0);
  canvas.setAttribute('aria-label', text);
}

export function say(state, error = '') {
  at('state').textContent = state;
  at('error').textContent = error;
}

export const prefersStillness = () => matchMedia('(prefers-reduced-motion: reduce)').matches;
