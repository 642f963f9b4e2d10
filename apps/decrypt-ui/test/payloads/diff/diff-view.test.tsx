import { describe, expect, test } from 'vitest';
import { render } from 'vitest-browser-react';
import { page, userEvent } from 'vitest/browser';
import { DiffView } from '../../../src/payloads/diff/diff-view.tsx';
import { CUT, MORE } from '../../../src/payloads/diff/line-cut.ts';
import { until } from '../../support/render-app.tsx';

const text = (...lines: string[]) => ({ kind: 'text', text: lines.join('\n') }) as const;
const rows = () => [...document.querySelectorAll('[data-diff]')];
const long = (end: string) => `${'word '.repeat(10_000)}${end}${' more'.repeat(4_000)}`;
const button = (name: string | RegExp) => page.getByRole('button', { name });

test('a comparison on a phone shows the left lines of a block before its right lines', async () => {
  await page.viewport(390, 844);
  const values = [text('same', 'a 1', 'b 1', 'end'), text('same', 'a 2', 'b 2', 'c', 'end')] as const;
  await render(<DiffView left={values[0]} right={values[1]} label="Differences" />);
  await until(() => rows().length > 0, 'the lines');
  expect(rows().map((row) => row.textContent)).toEqual([
    '1 same',
    '2−a 1',
    '3−b 1',
    '2+a 2',
    '3+b 2',
    '4+c',
    '4 end',
  ]);
  expect([...document.querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual([
    '1',
    '1',
    '2',
    '2',
  ]);
});

describe('a comparison with very long lines', () => {
  test('truncates the lines around the first difference, and shows whole lines on request', async () => {
    const [left, right] = [long('before'), long('behind')];
    const values = [text('same', left), text('same', right)] as const;
    await render(<DiffView left={values[0]} right={values[1]} label="Differences" />);
    await until(() => rows().length === 2, 'the lines');
    const [, changed] = rows();
    expect([...changed!.querySelectorAll('mark')].map((mark) => mark.textContent)).toEqual([
      'before',
      'behind',
    ]);
    expect(changed!.textContent.length).toBeLessThan(3 * CUT);
    await userEvent.click(button(`Show ${MORE.toLocaleString('en-GB')} more of 70,006 characters`));
    await until(() => changed!.textContent.length > 2 * MORE, 'more');
    expect(changed!.textContent).not.toContain('before');
    await userEvent.click(button(/more of 70,006/));
    await userEvent.click(button(/more of 70,006/));
    await userEvent.click(button('Show all 70,006 characters'));
    await until(() => changed!.textContent.includes(left), 'the whole line');
    expect(changed!.textContent).toContain(right);
    expect(button(/Show/).query()).toBeNull();
  });

  test('leaves shorter lines unchanged', async () => {
    const line = 'x'.repeat(CUT);
    const [left, right] = [text(line), text('y')];
    await render(<DiffView left={left} right={right} label="Differences" />);
    await until(() => rows().length === 1, 'the line');
    expect(rows()[0]!.textContent).toContain(line);
    expect(button(/Show/).query()).toBeNull();
  });
});
