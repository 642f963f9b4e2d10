import { useState } from 'react';
import { beforeEach, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { render } from 'vitest-browser-react';
import {
  JustificationDialog,
  JustificationField,
  justificationOf,
} from '../../../src/payloads/reveal/justification.tsx';

let submitted: string[];
let closed: number;
beforeEach(() => {
  submitted = [];
  closed = 0;
});

const field = () => page.getByRole('textbox', { name: 'Justification' });

const openDialog = (initial?: string) =>
  render(
    <JustificationDialog
      title="Reveal payloads"
      description="The server decrypts them."
      action="Reveal"
      {...(initial !== undefined && { initial })}
      onSubmit={(text) => submitted.push(text)}
      onClose={() => (closed += 1)}
    />,
  );

test('sends the justification on Enter, without leading or trailing spaces', async () => {
  await openDialog();
  await expect.element(page.getByRole('dialog', { name: 'Reveal payloads' })).toBeVisible();
  await expect.element(field()).toHaveFocus();
  await userEvent.keyboard('  PAY-4417 {Enter}');
  expect(submitted).toEqual(['PAY-4417']);
});

test('rejects a justification that the server would refuse, and states what is missing', async () => {
  await openDialog();
  // A zero-width space is invisible.
  await userEvent.fill(field(), ' \u200b ');
  await page.getByRole('button', { name: 'Reveal' }).click();
  await expect.element(page.getByRole('alert')).toHaveTextContent('Write why you need the plaintext.');
  await expect.element(field()).toHaveFocus();
  await expect.element(field()).toHaveAttribute('aria-invalid', 'true');
  expect(submitted).toEqual([]);
  await userEvent.fill(field(), 'x');
  await expect.element(page.getByRole('alert')).not.toBeInTheDocument();
});

test('offers the last justification again, and closes on Escape without sending a justification', async () => {
  await openDialog('PAY-4417');
  await expect.element(field()).toHaveValue('PAY-4417');
  await expect.element(field()).toHaveFocus();
  await userEvent.keyboard('{Escape}');
  await expect.poll(() => closed).toBe(1);
  expect(submitted).toEqual([]);
});

function Form() {
  const [text, setText] = useState('');
  return <JustificationField value={text} onChange={setText} optional />;
}

test('is available as a field for other dialogs, where it can be optional', async () => {
  await render(<Form />);
  const optional = page.getByRole('textbox', { name: 'Justification (optional)' });
  await userEvent.fill(optional, 'x'.repeat(500));
  await expect.element(optional).toHaveAttribute('maxlength', '500');
  await expect
    .element(optional)
    .toHaveAccessibleDescription('The audit records the justification with your name.');
});

test('applies the same rules to a justification as the server', () => {
  expect(justificationOf(' PAY-4417 ')).toBe('PAY-4417');
  for (const refused of ['', '  ', '\u200b', 'x'.repeat(501)])
    expect(justificationOf(refused)).toBeUndefined();
});
