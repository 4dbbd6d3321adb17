// A job of the server as the page follows it: its states as pictures, in the order of their steps.

const decoder = new TextDecoder();

function toBlob(base64) {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  return new Blob([bytes], {type: 'image/png'});
}

export async function getJson(path, options) {
  const answer = await fetch(path, options);
  const json = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(json.error.message), {field: json.error.field, status: answer.status});
  return json;
}

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
  // `job`: what the server answered for it. Follows it with follow(), which calls onStep after each picture.
  constructor(job) {
    this.id = job.id;
    this.path = `/diffusion/v1/jobs/${job.id}`;
    this.frames = [];  // {step, steps, picture: ImageBitmap}
    this.stopper = new AbortController();
  }

  static async start(wish) {
    const body = JSON.stringify(wish);
    return new Drawing(await getJson('/diffusion/v1/jobs', {
      method: 'POST', body, headers: {'Content-Type': 'application/json'},
    }));
  }

  // Resolves with how it ended: "done", "failed" or "cancelled", and with a message. Begins again from the
  // first event where the connection breaks.
  async follow(onStep) {
    for (let attempt = 0; attempt < 5; ++attempt) {
      const seen = this.frames.length;
      let frame = 0;
      try {
        for await (const {kind, data} of readEvents(this.path + '/events', this.stopper.signal)) {
          if (kind === 'step') continue;
          if (kind !== 'preview') return {state: kind, error: data.error};
          if (frame++ < seen) continue;
          this.frames.push({step: data.step, steps: data.steps, picture: await createImageBitmap(toBlob(data.png))});
          onStep(this);
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
    await fetch(this.path, {method: 'DELETE'});
  }

  // The command and the picture of a job that is done.
  async result() {
    const status = await getJson(this.path);
    const answer = await fetch(status.images[0].path);
    return {command: status.images[0].command, png: await answer.blob()};
  }
}
