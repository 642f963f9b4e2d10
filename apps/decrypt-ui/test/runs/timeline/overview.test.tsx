import { expect, test } from 'vitest';
import { renderApp, row, until } from '../../support/render-app.tsx';

const overview = () => document.querySelector('[aria-label="Whole run"]');

/** Returns the greatest height of red in a column of the overview's canvas, in CSS pixels. */
function redHeight(): number {
  const canvas = overview()?.querySelector('canvas');
  const context = canvas?.getContext('2d');
  if (!canvas || !context || canvas.width === 0) return 0;
  const { width, height } = canvas;
  const { data } = context.getImageData(0, 0, width, height);
  let most = 0;
  for (let x = 0; x < width; x += 1) {
    let red = 0;
    for (let y = 0; y < height; y += 1) {
      const at = 4 * (y * width + x);
      const [r = 0, g = 0, b = 0, a = 0] = data.subarray(at, at + 4);
      if (a > 200 && r > 1.4 * g && r > 1.4 * b) red += 1;
    }
    most = Math.max(most, red);
  }
  return most / devicePixelRatio;
}

test('draws the only failure among hundreds of rows at least 2 pixels high', async () => {
  await renderApp('/ns/NS/workflows/alerts-batch/01997c2e-a000-7000-8000-000000000007');
  await until(() => redHeight() >= 1.5, 'the failure');
});

test('is absent for a history of fewer than ten rows', async () => {
  await renderApp('/ns/NS/workflows/charge-88213/01997c2e-0000-7000-8000-0000000000fa');
  await until(() => row('g11'), 'the rows');
  expect(overview()).toBeNull();
});
