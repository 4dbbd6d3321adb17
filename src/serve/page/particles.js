// Particles on a canvas, in the colors of the page, with the tails of some of them.

export const kReach = 3;  // the canvas shows -kReach to kReach

const kTails = 12, kTailSteps = 40;

function colorsOf(canvas) {
  const style = getComputedStyle(canvas);
  const get = (name) => style.getPropertyValue(name).trim();
  return {line: get('--line'), dot: get('--accent'), tail: get('--tail'), centre: get('--soft')};
}

// `states[step]` of a path at time t, with the tails that lead there. A ring around each centre of the mixture has
// twice its standard deviation.
export function drawParticles(canvas, states, step, t, centres, spread) {
  const context = canvas.getContext('2d');
  const side = Math.round(canvas.clientWidth * devicePixelRatio) || canvas.width;
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const {width, height} = canvas;
  const unit = width / 460 * Math.max(1, 300 / (canvas.clientWidth || 300));  // larger on small screens
  const colors = colorsOf(canvas);
  const px = (x) => (x / kReach + 1) * width / 2, py = (y) => (1 - y / kReach) * height / 2;
  context.clearRect(0, 0, width, height);
  const a = Math.exp(-t / 2), deviation = Math.sqrt(Math.exp(-t) * spread * spread + 1 - Math.exp(-t));
  context.strokeStyle = colors.line;
  context.lineWidth = 1.5 * unit;
  for (const [x, y] of centres) {
    context.beginPath();
    context.arc(px(a * x), py(a * y), 2 * deviation * width / (2 * kReach), 0, 2 * Math.PI);
    context.stroke();
  }
  context.strokeStyle = colors.tail;
  context.lineWidth = 1.8 * unit;
  const now = states[step];
  for (let k = 0; k < kTails; ++k) {
    context.beginPath();
    for (let s = Math.max(step - kTailSteps, 0); s <= step; ++s) context.lineTo(px(states[s][2 * k]), py(states[s][2 * k + 1]));
    context.stroke();
  }
  for (let k = 0; k < now.length; k += 2) {
    context.fillStyle = k < 2 * kTails ? colors.tail : colors.dot;
    context.beginPath();
    context.arc(px(now[k]), py(now[k + 1]), (k < 2 * kTails ? 4.5 : 3) * unit, 0, 2 * Math.PI);
    context.fill();
  }
}
