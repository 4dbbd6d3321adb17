// A mask that is painted over a picture, by pointer and by keyboard. One pixel of the canvas is one of the model.

import {element} from '/dom.js';

const kArrows = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

export class MaskEditor {
  // `brush()`: its radius in pixels; `erases()`: whether it takes away. `tell(text)` after a move or a change.
  constructor(canvas, brush, erases, tell) {
    Object.assign(this, {canvas, brush, erases, tell, picture: null, mask: new Uint8Array(0), cursor: null});
    canvas.addEventListener('pointerdown', (event) => {
      if (!this.picture) return;
      canvas.setPointerCapture(event.pointerId);
      this.cursor = null;
      this.stroke(event);
    });
    canvas.addEventListener('pointermove', (event) => {
      if (this.picture && canvas.hasPointerCapture(event.pointerId)) this.stroke(event);
    });
    canvas.addEventListener('keydown', (event) => this.press(event));
    canvas.addEventListener('blur', () => { this.cursor = null; this.show(); });
  }

  get width() { return this.picture.width; }
  get height() { return this.picture.height; }
  get painted() { return this.mask.reduce((sum, value) => sum + value, 0); }

  // A new picture (ImageBitmap); the mask stays if it fits.
  take(picture) {
    this.picture = picture;
    this.canvas.width = picture.width;
    this.canvas.height = picture.height;
    if (this.mask.length !== picture.width * picture.height) this.mask = new Uint8Array(picture.width * picture.height);
    this.show();
  }

  // `value(old, x, y)`: 1 where the picture is drawn anew.
  change(value) {
    if (!this.picture) return;
    this.mask = this.mask.map((old, k) => value(old, k % this.width, Math.floor(k / this.width)));
    this.show();
    this.tellPainted();
  }

  paintAt(x, y) {
    const reach = this.brush() ** 2 + 0.5, set = this.erases() ? 0 : 1;
    this.change((old, px, py) => ((px - x) ** 2 + (py - y) ** 2 <= reach ? set : old));
  }

  stroke(event) {
    const box = this.canvas.getBoundingClientRect();
    const border = this.canvas.clientLeft;
    this.paintAt(Math.floor((event.clientX - box.left - border) * this.width / this.canvas.clientWidth),
      Math.floor((event.clientY - box.top - border) * this.height / this.canvas.clientHeight));
  }

  press(event) {
    if (!this.picture) return;
    const move = kArrows[event.key];
    if (!move && event.key !== ' ') return;
    event.preventDefault();
    this.cursor ??= {x: Math.floor(this.width / 2), y: Math.floor(this.height / 2)};
    if (!move) return this.paintAt(this.cursor.x, this.cursor.y);
    this.cursor.x = Math.min(Math.max(this.cursor.x + move[0], 0), this.width - 1);
    this.cursor.y = Math.min(Math.max(this.cursor.y + move[1], 0), this.height - 1);
    this.show();
    const {x, y} = this.cursor;
    this.tell(`Column ${x + 1}, row ${y + 1}: ${this.mask[y * this.width + x] ? 'drawn anew' : 'kept'}.`);
  }

  tellPainted() {
    this.tell(`${Math.round(100 * this.painted / this.mask.length)}% of the picture is drawn anew.`);
  }

  show() {
    if (!this.picture) return;
    const context = this.canvas.getContext('2d');
    context.drawImage(this.picture, 0, 0);
    context.fillStyle = 'rgb(230 90 20 / 75%)';
    this.mask.forEach((value, k) => { if (value) context.fillRect(k % this.width, Math.floor(k / this.width), 1, 1); });
    if (!this.cursor) return;
    context.fillStyle = 'rgb(40 160 255 / 85%)';
    context.fillRect(this.cursor.x, this.cursor.y, 1, 1);
  }

  // White where the picture is drawn anew, black where it is kept, as PNG.
  png() {
    const canvas = element('canvas', {width: this.width, height: this.height});
    const context = canvas.getContext('2d', {alpha: false});
    context.fillStyle = '#fff';
    this.mask.forEach((value, k) => { if (value) context.fillRect(k % this.width, Math.floor(k / this.width), 1, 1); });
    return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
  }
}
