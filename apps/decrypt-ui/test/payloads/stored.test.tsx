import { describe, expect, test } from 'vitest';
import { page, userEvent } from 'vitest/browser';
import { withoutSignIn } from '../../src/session/sign-in/session.ts';
import { renderApp, row, type SessionActions, until } from '../support/render-app.tsx';

const address = '/ns/NS/workflows/stored-1/01997c2e-0000-7000-8000-0000000000e5';
const block = (ref: string) => document.querySelector<HTMLElement>(`[data-inspector] [data-ref="${ref}"]`);
const text = (element: Element | null) => element?.textContent ?? '';
const read = () => page.getByRole('button', { name: 'Read 12 MB from storage' });
const open = async (event: number) => {
  const app = await renderApp(`${address}?ev=${event}&one=true`);
  await until(() => text(block(`${event}:0`)).includes('In external storage'), 'the note');
  return app;
};

describe('a payload in external storage', () => {
  test('is described in the row and in the inspector, but not read', async () => {
    const { refs } = await open(1);
    expect(text(row('g1'))).toContain('Stored in acme-payloads');
    expect(text(row('g1'))).toContain('12 MB');
    expect(text(block('1:0'))).toContain('the S3 bucket acme-payloads (driver aws.s3driver)');
    expect(text(block('1:0'))).toContain('v0/ns/orders/wf/stored-1/3f9c');
    expect(page.getByRole('button', { name: 'Copy object name' }).elements()).toHaveLength(1);
    // The rows, the Why card and a pane with decoded JSON request only 6:0, whose object the server may not read.
    await userEvent.click(page.getByRole('tab', { name: 'Raw' }));
    await userEvent.click(page.getByRole('button', { name: 'Decoded' }));
    await userEvent.click(page.getByRole('tab', { name: 'Crypto' }));
    await until(
      () => text(document.querySelector('[data-inspector]')).includes('Size of the object'),
      'the size',
    );
    await until(() => refs().some((ref) => ref === '6:0'), 'the request');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(new Set(refs())).toEqual(new Set(['6:0']));
  });

  test('can be read with the keyboard, shows its object’s key, and is forgotten when the user locks the payloads', async () => {
    const { refs, plaintext } = await open(1);
    (await until(() => read().query(), 'the button')).focus();
    await userEvent.keyboard('{Enter}');
    await until(() => text(block('1:0')).includes('Maren Vogel'), 'the plaintext');
    await until(() => text(block('1:0')).includes('v7'), 'the key of the object');
    expect(refs().filter((ref) => ref === '1:0')).toHaveLength(1);
    plaintext.clear();
    await until(() => read().query(), 'the button');
    expect(document.body.textContent).not.toContain('Maren Vogel');
    expect(refs().filter((ref) => ref === '1:0')).toHaveLength(1);
    await userEvent.click(read());
    await until(() => text(block('1:0')).includes('Maren Vogel'), 'the plaintext again');
  });

  test.each([
    [8_000_000, 'received 6.0 MB of 12 MB …'],
    // The size after decompression.
    [20_000_000, 'received 15 MB …'],
  ])('shows how much of it has arrived while it is being read: %i bytes', async (bytes, words) => {
    const rest = Promise.withResolvers<void>();
    await renderApp(`${address}?ev=1&one=true`, { session: withSlowAnswer(bytes, rest.promise) });
    await until(() => read().query(), 'the button');
    await userEvent.click(read());
    await until(() => text(block('1:0')).includes(words), 'the progress');
    rest.resolve();
    await until(() => text(block('1:0')).includes('Maren Vogel'), 'the plaintext');
  });

  test('is no longer read after a click on Stop reading', async () => {
    const { steer, asked } = await open(1);
    await steer('delay', { delay: 60_000 });
    await userEvent.click(read());
    const stop = page.getByRole('button', { name: 'Stop reading' });
    await until(() => asked.some(({ body }) => body.includes('"1:0"')), 'the request');
    await userEvent.click(stop);
    await until(() => read().query(), 'the button');
    expect(asked.find(({ body }) => body.includes('"1:0"'))?.signal?.aborted).toBe(true);
  });

  test.each([
    [2, 'The object is no longer in external storage, in acme-payloads.', 'Copy object name'],
    [3, 'The stored object differs from what the writer stored.', 'Copy object name'],
    [4, 'larger than the server’s limit. Fetch it with the application’s storage driver', 'Copy object name'],
    [5, 'External storage did not return the object.', 'Try again'],
  ])('explains why the object of event %i cannot be read', async (event, words, action) => {
    await open(event);
    await userEvent.click(read());
    await until(() => text(block(`${event}:0`)).includes(words), words);
    expect(text(block(`${event}:0`))).toContain('Decryption failed:');
    expect(text(block(`${event}:0`))).toContain(action);
    if (event === 5)
      await until(() => text(document.body).includes('External storage unavailable'), 'the banner');
  });

  test('has an explanation instead of a button if the server may not read it', async () => {
    await renderApp(`${address}?ev=6&one=true`);
    const words = 'does not let';
    await until(() => text(block('6:0')).includes(words), words);
    expect(text(block('6:0'))).toContain('read this object, in elsewhere.');
    expect(read().query()).toBe(null);
  });
});

/** Delays a response that contains a stored payload: sends only spaces at first, and the rest after the wait. */
const withSlowAnswer =
  (spaces: number, wait: Promise<void>) =>
  ({ fetch: send }: SessionActions) =>
    withoutSignIn('open', async (input, init) => {
      const response = await send(input, init);
      if (typeof init?.body !== 'string' || !init.body.includes('"1:0"')) return response;
      const slow = new TransformStream<Uint8Array, Uint8Array>({
        start: (controller) => controller.enqueue(new Uint8Array(spaces).fill(0x20)),
        transform: async (chunk, controller) => {
          await wait;
          controller.enqueue(chunk);
        },
      });
      return new Response(response.body!.pipeThrough(slow), response);
    });
