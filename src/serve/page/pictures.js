// Pictures of one's own: chosen as a file, or dropped.

import {element} from '/dom.js';

const kMostSide = 1024;  // larger ones are made smaller here, so that they are below the server's limits

// The picture as PNG, at most so large. Throws what to tell.
async function asPng(file) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name || 'This file'} is no picture that this browser can read.`);
  }
  const scale = Math.min(1, kMostSide / Math.max(picture.width, picture.height));
  const canvas = element('canvas', {
    width: Math.max(1, Math.round(picture.width * scale)), height: Math.max(1, Math.round(picture.height * scale)),
  });
  const context = canvas.getContext('2d', {alpha: false});
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'));
}

// Fills `box`. onPicture(blob) gets each as PNG, onError(text) why one cannot be read.
export function chooseFile(box, id, onPicture, onError) {
  const take = async (file) => {
    if (!file) return;
    try {
      await onPicture(await asPng(file));
    } catch (error) {
      onError(error.message);
    }
  };
  const input = element('input', {
    id, type: 'file', accept: 'image/*',
    onchange: () => { take(input.files[0]); input.value = ''; },
  });
  box.append(element('label', {for: id}, 'A picture of yours: choose it, or drop it here'), input);
  const over = (event) => { event.preventDefault(); box.classList.add('over'); };
  box.addEventListener('dragenter', over);
  box.addEventListener('dragover', over);
  box.addEventListener('dragleave', () => box.classList.remove('over'));
  box.addEventListener('drop', (event) => {
    event.preventDefault();
    box.classList.remove('over');
    take(event.dataTransfer.files[0]);
  });
}
