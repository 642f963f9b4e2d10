import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, test } from 'vitest';
import { createTimeScale } from '../../../src/runs/timeline/time-scale.ts';
import { AxisLabels } from '../../../src/runs/timeline/waterfall.tsx';

test('if there are two gaps near the present, only the last gap has a label', () => {
  const times = { events: [0, 60_000, 80_000], busy: [{ from: 0, to: 60_000 }] };
  const scale = createTimeScale({ from: 0, to: 100_000, times, width: 400, collapse: true });
  const waterfall = { scale, from: 0, to: 100_000, gaps: scale.gaps, offset: String };
  expect(scale.gaps).toHaveLength(2);
  const labels = renderToStaticMarkup(createElement(AxisLabels, { waterfall, now: 82_000 }));
  expect(labels).toContain('2.00 s');
  expect(labels).not.toContain('20.0 s');
});
