import { decodeRequest } from '@temporal-kms/codec-api';
import { createMemoryHistory } from '@tanstack/react-router';
import { StrictMode } from 'react';
import { inject } from 'vitest';
import { render } from 'vitest-browser-react';
import { createApiClient } from '../../src/api/client.ts';
import { App } from '../../src/app.tsx';
import { createOpenedCache } from '../../src/payloads/opened-cache.ts';
import { applyPreferences, setPreferences } from '../../src/state/preferences.ts';

export const RUN = '01997c2e-0000-7000-8000-000000000001';
let namespaces = 0;

interface Steering {
  readonly workflowId?: string;
  readonly count?: number;
  readonly on?: boolean;
  readonly delay?: number;
}

/** The whole application at an address, over the fixture server, in a namespace that no other test uses. */
export async function renderApp(path: string, options: { namespace?: string } = {}) {
  namespaces += 1;
  const namespace = options.namespace ?? `test-${namespaces}-${Date.now()}`;
  const url = inject('fixtures');
  const asked: { url: string; body: string; signal: AbortSignal | null | undefined }[] = [];
  const spy: typeof fetch = (input, init) => {
    const text = typeof init?.body === 'string' ? init.body : '';
    asked.push({
      url: input instanceof Request ? input.url : String(input),
      body: text,
      signal: init?.signal,
    });
    return fetch(input, init);
  };
  const history = createMemoryHistory({ initialEntries: [path.replace('NS', namespace)] });
  const opened = createOpenedCache();
  const api = createApiClient({ apiUrl: url, fetch: spy });
  setPreferences({ theme: 'dark', zone: 'utc', density: 'default', inspector: 408 });
  applyPreferences();
  const services = { api, opened, config: { apiUrl: url, temporalUiUrl: 'https://temporal.example' } };
  const screen = await render(
    <StrictMode>
      <App services={services} history={history} />
    </StrictMode>,
  );
  return {
    screen,
    history,
    opened,
    namespace,
    asked,
    /** Refs that the page has asked to decode, in order. */
    refs: () =>
      asked
        .filter((one) => one.url.endsWith('payloads:decode'))
        .flatMap((one) => decodeRequest.parse(JSON.parse(one.body)).refs),
    /** Changes what the server has or does. */
    steer: async (action: string, body: Steering = {}) => {
      const response = await fetch(`${url}/test/${namespace}/${action}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!response.ok) throw new Error(`${action} was refused with ${response.status}`);
    },
  };
}

/** The row of the history grid with this key: `g39` a group, `e44` an event. */
export const row = (key: string) => document.querySelector<HTMLElement>(`[data-key="${key}"]`);

export async function until<T>(
  find: () => T | null | undefined | false,
  what: string,
  timeout = 20_000,
): Promise<T> {
  const end = Date.now() + timeout;
  for (;;) {
    const found = find();
    if (found) return found;
    if (Date.now() > end) throw new Error(`Waited ${timeout} ms for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

export const press = (
  key: string,
  target: Element = document.activeElement ?? document.body,
  more: KeyboardEventInit = {},
) => target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
