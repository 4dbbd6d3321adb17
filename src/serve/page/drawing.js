// A job of the server as the page follows it: its states as pictures, in the order of their steps.

const decoder = new TextDecoder();

export function toBlob(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Blob([bytes], {type: 'image/png'});
}

export async function toBase64(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let text = '';
  for (let k = 0; k < bytes.length; k += 0x8000) text += String.fromCharCode(...bytes.subarray(k, k + 0x8000));
  return btoa(text);
}

export async function getJson(path, options) {
  const answer = await fetch(path, options);
  const json = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(json.error.message), {field: json.error.field, status: answer.status});
  return json;
}

export const postJson = (path, value) =>
  getJson(path, {method: 'POST', body: JSON.stringify(value), headers: {'Content-Type': 'application/json'}});

// Server-sent events from a stream, which unlike EventSource may carry a key.
async function* readEvents(path, signal) {
  const answer = await fetch(path, {signal});
  if (!answer.ok) throw Object.assign(new Error('The server does not know this job any more.'), {status: answer.status});
  const reader = answer.body.getReader();
  let text = '';
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    text += decoder.decode(value, {stream: true});
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const field = (name) => lines.find((line) => line.startsWith(name + ': '))?.slice(name.length + 2);
      if (field('event')) yield {kind: field('event'), data: JSON.parse(field('data'))};
    }
  }
}

export class Drawing {
  // `job`: what the server answered for it. Follow it with follow().
  constructor(job) {
    this.id = job.id;
    this.path = `/diffusion/v1/jobs/${job.id}`;
    this.frames = [];  // {step, steps, picture: ImageBitmap}
    this.ended = false;
    this.stopper = new AbortController();
  }

  static async start(wish) {
    return new Drawing(await postJson('/diffusion/v1/jobs', wish));
  }

  // Resolves with how it ended: "done", "failed" or "cancelled", and with a message. Calls onFrame after each
  // picture and onStep after each step without one. Begins again from the first event where the connection
  // breaks.
  async follow(onFrame = () => {}, onStep = () => {}) {
    for (let attempt = 0; attempt < 5; ++attempt) {
      const seen = this.frames.length;
      let frame = 0;
      try {
        for await (const {kind, data} of readEvents(this.path + '/events', this.stopper.signal)) {
          if (kind === 'step') {
            onStep(data);
            continue;
          }
          if (kind !== 'preview') {
            this.ended = true;
            return {state: kind, error: data.error};
          }
          if (frame++ < seen) continue;
          this.frames.push({step: data.step, steps: data.steps, picture: await createImageBitmap(toBlob(data.png))});
          onFrame(this);
        }
      } catch (error) {
        if (error.status) return {state: 'failed', error: error.message};
      }
      if (this.stopper.signal.aborted) return {state: 'cancelled', error: null};
      await new Promise((wake) => setTimeout(wake, 500));
    }
    return {state: 'failed', error: 'The server cannot be reached.'};
  }

  async cancel() {
    if (!this.ended) await fetch(this.path, {method: 'DELETE'});
  }

  // The commands and the pictures, as PNG, of a job that is done.
  async results() {
    const status = await getJson(this.path);
    return Promise.all(status.images.map(async ({command, path}) => ({command, png: await (await fetch(path)).blob()})));
  }
}

// What to say of a job that ended so. Throws how it failed.
export function outcome(end, done) {
  if (end.state === 'done') return done;
  if (end.state === 'cancelled') return 'Stopped.';
  throw new Error(end.error ?? 'The server could not finish the job.');
}

// A job from its beginning to its results, for those who need nothing in between. Throws how it failed.
export async function drawn(wish) {
  const drawing = await Drawing.start(wish);
  outcome(await drawing.follow());
  return drawing.results();
}
