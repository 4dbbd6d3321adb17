// The command that makes a picture again, with the files that it reads and the picture itself to be saved.

import {element} from '/dom.js';

export class Again {
  // Added to `parent`; ids begin with `prefix`. `title` is of the level h3; null: there is one already.
  constructor(parent, prefix, title = 'The same picture, byte for byte') {
    this.code = element('code', {id: `${prefix}command`});
    this.links = element('p', {class: 'buttons'});
    this.box = element('div', {id: `${prefix}again`, class: 'again', hidden: true},
      ...(title === null ? [] : [element('h3', {}, title)]),
      element('pre', {tabindex: '0', role: 'group', 'aria-label': 'Command'}, this.code), this.links);
    this.prefix = prefix;
    parent.append(this.box);
  }

  hide() {
    this.box.hidden = true;
  }

  // `files`: [{name, text, blob}], each a link that saves it as `name`.
  show(command, files) {
    for (const link of this.links.children) URL.revokeObjectURL(link.href);
    // Lines end between words, not at the hyphens of options.
    const words = command.split(' ').flatMap((word, k) => [...(k > 0 ? [' '] : []), element('span', {}, word)]);
    this.code.replaceChildren(...words);
    this.links.replaceChildren(...files.map(({name, text, blob}, k) => element('a', {
      id: `${this.prefix}download${k === 0 ? '' : k}`, download: name, href: URL.createObjectURL(blob),
    }, text)));
    this.box.hidden = false;
  }
}
