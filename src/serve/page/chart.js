// Curves over steps, as SVG in the page's colors: linear across, logarithmic up.

const kWidth = 640, kHeight = 300, kLeft = 64, kRight = 12, kTop = 12, kBottom = 36;

function svg(tag, attributes, text = '') {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

const short = (value) => Number(value.toPrecision(3)).toString();
const thousands = (value) => (value >= 10000 ? `${short(value / 1000)}k` : short(value));

// Round numbers from 0 to `most`, about five.
function stepTicks(most) {
  const rough = most / 5, unit = 10 ** Math.floor(Math.log10(rough));
  const tick = unit * [1, 2, 5, 10].find((factor) => factor * unit >= rough);
  return Array.from({length: Math.floor(most / tick) + 1}, (_, k) => k * tick);
}

// 1, 2, 5 times powers of ten between the two; fewer where there would be many.
function lossTicks(low, high) {
  const all = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); ++power)
    for (const factor of high / low > 100 ? [1] : [1, 2, 5]) all.push(factor * 10 ** power);
  const inside = all.filter((value) => value >= low && value <= high);
  return inside.length >= 2 ? inside : [low, Math.sqrt(low * high), high];
}

// The range of all values, which must be positive, with a little room; without what is far above the rest.
function range(series) {
  const values = series.flatMap(({y}) => y).filter((value) => value > 0).sort((a, b) => a - b);
  if (values.length === 0) return null;
  const high = values[Math.min(Math.ceil(values.length * 0.995), values.length - 1)];
  return [values[0] / 1.1, Math.max(high, values[0] * 1.05) * 1.1];
}

function axes(most, [low, high], x, y) {
  const parts = [];
  for (const value of lossTicks(low, high))
    parts.push(svg('line', {class: 'grid', x1: kLeft, x2: kWidth - kRight, y1: y(value), y2: y(value)}),
      svg('text', {x: kLeft - 8, y: y(value) + 5, 'text-anchor': 'end'}, short(value)));
  for (const value of stepTicks(most))
    parts.push(svg('text', {x: x(value), y: kHeight - kBottom + 20, 'text-anchor': 'middle'}, thousands(value)));
  parts.push(svg('text', {x: kWidth - kRight, y: kHeight - 2, 'text-anchor': 'end'}, 'step'));
  return parts;
}

// `series`: [{name, style, x: [...], y: [...]}]; `style` is a class of the stylesheet, series-0 and so on, "faint"
// for values of single steps. Points are marked where there are few. The element has a legend above the curves.
export function chart(title, series) {
  const most = Math.max(...series.flatMap(({x}) => x.at(-1) ?? 0));
  const limits = range(series);
  const box = document.createElement('figure');
  const caption = document.createElement('figcaption');
  caption.append(Object.assign(document.createElement('strong'), {textContent: title}));
  box.append(caption);
  if (!limits || !(most > 0)) {
    box.append(Object.assign(document.createElement('p'), {textContent: 'Nothing was recorded yet.'}));
    return box;
  }
  const logs = limits.map(Math.log);
  const x = (step) => kLeft + (kWidth - kLeft - kRight) * step / most;
  const y = (loss) => kTop + (kHeight - kTop - kBottom) * Math.min(Math.max((logs[1] - Math.log(loss)) / (logs[1] - logs[0]), 0), 1);
  const drawing = svg('svg', {viewBox: `0 0 ${kWidth} ${kHeight}`, role: 'img', class: 'chart', 'aria-label':
    `${title}: ${series.map((one) => `${one.name} ${short(one.y.at(-1) ?? NaN)}`).join(', ')}`});
  drawing.append(...axes(most, limits, x, y));
  for (const {name, style, x: steps, y: losses} of series) {
    const points = steps.map((step, k) => [x(step), losses[k] > 0 ? y(losses[k]) : NaN]).filter(([, py]) => py === py);
    drawing.append(svg('polyline', {class: `curve ${style}`, points: points.map((p) => p.map((v) => v.toFixed(1)).join()).join(' ')}));
    if (points.length <= 40)
      points.forEach(([px, py], k) => {
        const dot = svg('circle', {class: `dot ${style}`, cx: px, cy: py, r: 3.5});
        dot.append(svg('title', {}, `${name}, step ${steps[k]}: ${short(losses[k])}`));
        drawing.append(dot);
      });
    const entry = Object.assign(document.createElement('span'), {className: `legend ${style}`, textContent: name});
    caption.append(' ', entry);
  }
  box.append(drawing);
  return box;
}
