import { describe, expect, test, vi } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { LARGE } from '../../src/payloads/value/interpret.ts';
import { newNamespace, onDemand, sessionOf } from '../support/people.ts';
import { press, renderApp, RUN, until } from '../support/render-app.tsx';

const files = '/ns/NS/workflows/files-1/01997c2e-0000-7000-8000-0000000000f1?ev=1';
const block = (ref: string) => document.querySelector<HTMLElement>(`[data-inspector] [data-ref="${ref}"]`);
const button = (name: string | RegExp) => page.getByRole('button', { name });
const dialog = () => document.querySelector('[role="dialog"]');
/** Returns the number of drawn lines of the tree in the dialog. */
const lines = () => dialog()?.querySelectorAll('[role="treeitem"]').length ?? 0;
const text = (element: Element | null) => element?.textContent ?? '';

/** Keeps scrolling to a payload until it shows the content, because payloads above it grow when they are decrypted. */
const scrollTo = (ref: string, content: string) =>
  until(() => {
    block(ref)!.scrollIntoView();
    return text(block(ref)).includes(content);
  }, content);

/** Returns the line that represents the whole value. */
const whole = () => block('1:0')!.querySelector<HTMLElement>('[aria-level="1"]');

const scrolls = () => {
  const tree = block('1:0')!.querySelector('[role="tree"]')!;
  return tree.scrollWidth > tree.clientWidth;
};

/** Reveals the run in a namespace that reveals payloads on demand. */
async function reveal() {
  press('R', document.body, { shiftKey: true });
  await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
  await userEvent.keyboard('{Enter}');
  await until(
    () => text(document.querySelector('[data-inspector]')).includes('maren.vogel'),
    'the plaintext',
  );
}

/** Records the names and contents of the files that the page saves. */
function watchSaves() {
  const saved: { name: string; blob: Blob }[] = [];
  const blobs: Blob[] = [];
  vi.spyOn(URL, 'createObjectURL').mockImplementation((blob) => {
    if (blob instanceof Blob) blobs.push(blob);
    return 'blob:saved';
  });
  vi.spyOn(HTMLAnchorElement.prototype, 'click').mockImplementation(function click(this: HTMLAnchorElement) {
    const blob = blobs.at(-1);
    if (this.download && blob) saved.push({ name: this.download, blob });
  });
  return saved;
}

async function openFiles() {
  const app = await renderApp(files);
  await until(() => text(block('1:0')).includes('Maren Vogel'), 'the first payload');
  return app;
}

async function menu(name: string, item: string) {
  await userEvent.click(button(`More about ${name}`).first());
  await userEvent.click(page.getByRole('menuitem', { name: item }));
}

describe('JSON in the inspector', () => {
  test('keeps every digit, and is saved with its original bytes', async () => {
    const saved = watchSaves();
    await openFiles();
    expect(text(block('1:0'))).toContain('id: 12345678901234567890');
    expect(text(block('1:0'))).toContain('rate: 1.0');
    await menu('input 0', 'Save as a file');
    await until(() => saved.length === 1, 'the file');
    expect(saved[0]!.name).toBe('files-1.event-1.input_0.json');
    expect(saved[0]!.blob.type).toBe('application/octet-stream');
    expect(await saved[0]!.blob.text()).toMatch(/^\{"id":12345678901234567890,"rate":1\.0,/);
  });

  test('is a tree with one tab stop, which the user can fold with the pointer and with keys', async () => {
    await openFiles();
    const tree = await until(() => block('1:0')?.querySelector<HTMLElement>('[role="tree"]'), 'the tree');
    const item = (start: string) =>
      [...tree.querySelectorAll<HTMLElement>('[role="treeitem"]')].find((line) =>
        text(line).trim().startsWith(start),
      );
    expect(tree.querySelectorAll('[tabindex]')).toHaveLength(0);
    item('customer')!.click();
    await until(() => item('customer')?.getAttribute('aria-expanded') === 'false', 'the fold');
    expect(item('name: "Maren')).toBeUndefined();
    // The arrow keys continue from the line that was clicked.
    expect(item('customer')!.getAttribute('aria-selected')).toBe('true');
    tree.focus();
    await userEvent.keyboard('{Home}{ArrowDown}{ArrowDown}{ArrowDown}');
    await until(() => item('customer')?.getAttribute('aria-selected') === 'true', 'the line');
    expect(tree.getAttribute('aria-activedescendant')).toBe(item('customer')!.id);
    await userEvent.keyboard('{ArrowRight}');
    await until(() => item('name: "Maren'), 'the members');
    await userEvent.keyboard('{ArrowDown}{ArrowLeft}');
    await until(() => item('customer')?.getAttribute('aria-selected') === 'true', 'the parent');
    // The arrow keys skip lines that only close an object.
    const active = () => document.getElementById(tree.getAttribute('aria-activedescendant') ?? '');
    await userEvent.keyboard('{End}');
    // The last line is drawn only after the tree has scrolled.
    await until(
      () => active()?.getAttribute('role') === 'treeitem' && active() !== item('customer'),
      'the last line',
    );
    // Folding everything by pointer moves the active line to the only line left.
    tree.scrollTop = 0;
    (await until(whole, 'the first line')).click();
    await until(() => whole()?.getAttribute('aria-expanded') === 'false', 'the fold');
    expect(block('1:0')!.querySelectorAll('[role="treeitem"]')).toHaveLength(1);
    expect(whole()!.getAttribute('aria-selected')).toBe('true');
  });

  test('lays out text and JSON inside strings, and shows them unchanged on request', async () => {
    await renderApp('/ns/NS/workflows/every-encoding/01997c2e-0000-7000-8000-0000000000ec?ev=2');
    await until(() => block('2:6'), 'the payload');
    await scrollTo('2:6', 'Dear Maren,');
    expect(text(block('2:6'))).toContain('kind: "paid"');
    expect(text(block('2:6'))).not.toContain('\\n');
    await userEvent.click(page.getByRole('button', { name: 'JSON', exact: true }));
    await until(() => text(block('2:6')).includes('Dear Maren,\\n  thank you.'), 'the JSON');
    expect(text(block('2:6'))).toContain('kind');
  });

  test('shows bytes in lines that fit the inspector’s width', async () => {
    await renderApp('/ns/NS/workflows/every-encoding/01997c2e-0000-7000-8000-0000000000ec?ev=2');
    await until(() => block('2:2'), 'the payload');
    await scrollTo('2:2', '0008');
    const scroller = block('2:2')!.querySelector('[role="group"][aria-label="Input 2"]')!;
    expect(scroller.scrollWidth).toBeLessThanOrEqual(scroller.clientWidth);
  });

  test('wraps long lines until the user turns wrapping off', async () => {
    await openFiles();
    expect(scrolls()).toBe(false);
    await userEvent.click(button('More about input 0').first());
    await userEvent.click(page.getByRole('menuitemcheckbox', { name: 'Wrap long lines' }));
    await until(scrolls, 'a line that does not wrap');
  });
});

describe('a payload of 200,000 numbers', () => {
  test('is parsed in a worker that ends after its answer, and is shown with its numbers folded into ranges', async () => {
    const sent = vi.spyOn(Worker.prototype, 'postMessage');
    const ended = vi.spyOn(Worker.prototype, 'terminate');
    await renderApp('/ns/NS/workflows/long-numbers/01997c2e-0000-7000-8000-0000000000f2?ev=1');
    const tree = await until(() => block('1:0')?.querySelector<HTMLElement>('[role="tree"]'), 'the tree');
    const large = sent.mock.calls.filter(([message]) => message?.data?.length > LARGE);
    expect(large).not.toHaveLength(0);
    expect(ended).toHaveBeenCalledTimes(large.length);
    expect(text(tree)).toContain('0 … 999');
    // Only the lines in view are in the document, so the page's work does not grow with the array.
    expect(tree.querySelectorAll('[role="treeitem"]').length).toBeLessThan(200);
    tree.focus();
    await userEvent.keyboard('{End}');
    await until(() => text(tree).includes('199,000 … 199,999'), 'the last range');
    await userEvent.keyboard('{ArrowRight}{End}');
    await until(() => text(tree).includes('12345678901234567890'), 'the last number with all its digits');
    await userEvent.keyboard('{ArrowLeft}');
    const active = () => document.getElementById(tree.getAttribute('aria-activedescendant') ?? '');
    await until(() => text(active()).includes('199,000 … 199,999'), 'the range of the number');
  });
});

describe('the large payload view', () => {
  test('opens over the page, folds and unfolds everything, and closes with Escape', async () => {
    await openFiles();
    await userEvent.click(button('Enlarge input 0').first());
    await until(() => lines() > 10, 'the dialog');
    await userEvent.click(page.getByRole('dialog').getByRole('button', { name: 'Fold all', exact: true }));
    await until(() => lines() < 10, 'the fold');
    expect(text(dialog())).toContain('lines: [');
    await userEvent.click(button('Unfold all'));
    await until(() => text(dialog()).includes('A product whose name'), 'the members');
    await userEvent.keyboard('{Escape}');
    await until(() => !dialog(), 'no dialog');
  });

  test('stays unchanged when a narrow window turns the inspector into a sheet, and when the window becomes wide again', async () => {
    await openFiles();
    await userEvent.click(button('Enlarge input 0').first());
    await until(() => lines() > 10, 'the dialog');
    await userEvent.click(page.getByRole('dialog').getByRole('button', { name: 'Fold all', exact: true }));
    await until(() => lines() < 10, 'the fold');
    const folded = lines();
    for (const [width, edge] of [
      [390, 'Height of the inspector'],
      [1440, 'Width of the inspector'],
    ] as const) {
      await page.viewport(width, 844);
      await until(() => document.querySelector(`[role="separator"][aria-label="${edge}"]`), edge);
      expect(lines()).toBe(folded);
    }
  });

  test('shows a menu over the dialog, and Escape closes only the menu', async () => {
    await openFiles();
    await userEvent.click(button('Enlarge input 0').first());
    await until(() => text(dialog()).includes('Input 0 of event 1'), 'the dialog');
    const more = page.getByRole('dialog').getByRole('button', { name: 'More about input 0' });
    await userEvent.click(more);
    const item = page.getByRole('menuitem', { name: 'Compare with another payload' });
    await expect.element(item).toBeVisible();
    await userEvent.keyboard('{Escape}');
    await expect.element(item).not.toBeInTheDocument();
    expect(text(dialog())).toContain('Input 0 of event 1');
    await until(() => document.activeElement === more.element(), 'the focus on the button');
    // The click fails if anything covers the item.
    await userEvent.click(more);
    await userEvent.click(item);
    await until(() => text(dialog()).includes('Compare payloads'), 'the comparison');
  });

  test('closes when the payload is hidden again, and a later reveal does not reopen it', async () => {
    const me = onDemand(newNamespace());
    const app = await renderApp(`/ns/NS/workflows/order-88213/${RUN}?ev=1`, {
      namespace: me.namespaces[0]!.name,
      session: sessionOf(me).make,
    });
    await until(() => button('Reveal Input').query(), 'the button');
    await reveal();
    expect(app.refs().length).toBeGreaterThan(0);
    await userEvent.click(button('Enlarge input').first());
    await until(() => text(dialog()).includes('maren.vogel'), 'the dialog');
    // The reveal ends while the dialog is open.
    const now = Date.now();
    vi.spyOn(Date, 'now').mockReturnValue(now + 16 * 60_000);
    document.dispatchEvent(new Event('visibilitychange'));
    await until(() => !dialog(), 'no dialog');
    expect(document.documentElement.outerHTML).not.toContain('maren.vogel');
    vi.restoreAllMocks();
    await reveal();
    expect(dialog()).toBeNull();
  });
});

test('a payload whose reveal has ended is not copied or saved, even before the page hides it', async () => {
  const saved = watchSaves();
  const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue(undefined);
  const me = onDemand(newNamespace());
  await renderApp(`/ns/NS/workflows/order-88213/${RUN}?ev=1`, {
    namespace: me.namespaces[0]!.name,
    session: sessionOf(me).make,
  });
  await until(() => button('Reveal Input').query(), 'the button');
  await reveal();
  const copy = button('Copy input').first();
  copy.element().dispatchEvent(new MouseEvent('click', { bubbles: true }));
  await until(() => copied.mock.calls.length === 1, 'the copy');
  await userEvent.click(button('More about input').first());
  const save = await until(() => page.getByRole('menuitem', { name: 'Save as a file' }).query(), 'the menu');
  const now = Date.now();
  vi.spyOn(Date, 'now').mockReturnValue(now + 16 * 60_000);
  copy.element().dispatchEvent(new MouseEvent('click', { bubbles: true }));
  save.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(copied).toHaveBeenCalledTimes(1);
  expect(saved).toEqual([]);
});

test('a stack trace whose reveal has ended is not copied, even before the page hides it', async () => {
  const copied = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue(undefined);
  const me = onDemand(newNamespace());
  await renderApp(`/ns/NS/workflows/order-88213/${RUN}?ev=39&pane=failure`, {
    namespace: me.namespaces[0]!.name,
    session: sessionOf(me).make,
  });
  await until(() => button('Reveal Failure').query(), 'the button');
  press('R', document.body, { shiftKey: true });
  await userEvent.fill(page.getByRole('textbox', { name: 'Justification' }), 'PAY-4417');
  await userEvent.keyboard('{Enter}');
  const copy = await until(() => button('Copy stack trace').first().query(), 'the stack trace');
  const click = () => copy.dispatchEvent(new MouseEvent('click', { bubbles: true }));
  click();
  await until(() => copied.mock.calls.length === 1, 'the copy');
  expect(copied.mock.calls[0]![0]).toContain('activities.ts:41:20');
  const now = Date.now();
  vi.spyOn(Date, 'now').mockReturnValue(now + 16 * 60_000);
  click();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(copied).toHaveBeenCalledTimes(1);
});

describe('a binary payload', () => {
  test('is drawn as a picture only after a click, on a canvas that needs no URL', async () => {
    const urls = vi.spyOn(URL, 'createObjectURL');
    await openFiles();
    await until(() => text(block('1:1')).includes('89 50 4e 47'), 'the bytes');
    expect(document.querySelector('canvas[aria-label*="picture"]')).toBeNull();
    await userEvent.click(button('Picture').first());
    const canvas = page.getByRole('img', { name: 'Input 1, PNG picture' });
    await expect.element(canvas).toHaveProperty('width', 240);
    expect(document.querySelector('img, iframe, object, embed')).toBeNull();
    expect(urls).not.toHaveBeenCalled();
  });

  test('says that a damaged picture cannot be drawn', async () => {
    await openFiles();
    await scrollTo('1:4', '89 50 4e 47');
    block('1:4')!.querySelectorAll<HTMLElement>('[aria-pressed]')[1]!.click();
    await until(() => text(block('1:4')).includes('cannot draw this picture'), 'the note');
  });

  test('is recognised as a PDF, and saved with the extension of PDF files', async () => {
    const saved = watchSaves();
    const urls = vi.spyOn(URL, 'createObjectURL');
    await openFiles();
    await scrollTo('1:2', 'PDF, ');
    // No frame and no URL: docs/security-model.md explains why.
    expect(document.querySelector('iframe, embed, object')).toBeNull();
    expect(urls).not.toHaveBeenCalled();
    await menu('input 2', 'Save as a file');
    await until(() => saved.length === 1, 'the file');
    expect(saved[0]!.name).toBe('files-1.event-1.input_2.pdf');
    expect(saved[0]!.blob.type).toBe('application/octet-stream');
  });

  test('shows a protobuf message’s fields by number', async () => {
    await openFiles();
    await scrollTo('1:3', '18446744073709551615');
    expect(text(block('1:3'))).toContain('"Maren Vogel"');
    expect(text(block('1:3'))).toContain('acme.Order');
  });
});
