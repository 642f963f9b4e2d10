import { createMemoryHistory } from '@tanstack/react-router';
import { decodeRequest } from '@temporal-kms/codec-api';
import { StrictMode } from 'react';
import { inject } from 'vitest';
import { render } from 'vitest-browser-react';
import { createPlaintextCache } from '../../src/payloads/reveal/plaintext-cache.ts';
import { refreshAccess, refreshHealth } from '../../src/session/api.ts';
import { createApiClient } from '../../src/session/server/client.ts';
import { createQueryClient } from '../../src/session/server/query-client.ts';
import { type Session, withoutSignIn } from '../../src/session/sign-in/session.ts';
import { App } from '../../src/shell/app.tsx';
import { applyPreferences, setPreferences } from '../../src/ui/preferences/preferences.ts';

export const RUN = '01997c2e-0000-7000-8000-000000000001';
let namespaces = 0;

/**
 * Returns a namespace that no other test uses. Test files that run at the same time have different pages, each with its
 * own random number.
 */
export const uniqueNamespace = (prefix: string) => `${prefix}-${(namespaces += 1)}-${PAGE}`;
const PAGE = String(crypto.getRandomValues(new BigUint64Array(1))[0]).slice(0, 13);

interface Steering {
  readonly workflowId?: string;
  readonly count?: number;
  readonly on?: boolean;
  readonly delay?: number;
  readonly mode?: string;
  readonly scan?: string;
}

interface RenderOptions {
  readonly namespace?: string;
  /** Makes the session; by default, the session for a server that needs no token. */
  readonly session?: (actions: SessionActions) => Session;
  /** The codec server in the configuration; by default, the fixture server. */
  readonly apiUrl?: string;
}

/** The arguments with which the application creates a session. */
export interface SessionActions {
  readonly fetch: typeof fetch;
  readonly onLock: () => void;
  readonly onForget: () => void;
}

/** Renders the application at an address, with the fixture server and a namespace that no other test uses. */
export async function renderApp(path: string, options: RenderOptions = {}) {
  const namespace = options.namespace ?? uniqueNamespace('test');
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
  const plaintext = createPlaintextCache();
  const queries = createQueryClient();
  const session =
    options.session?.({ fetch: spy, onLock: () => plaintext.clear(), onForget: () => queries.clear() }) ??
    withoutSignIn('open', spy);
  const { renewed } = session;
  const api = createApiClient({
    apiUrl: url,
    fetch: session.fetch,
    onRefused: () => refreshAccess(queries),
    onUnavailable: () => refreshHealth(queries),
    ...(renewed && { renewed }),
  });
  setPreferences({
    theme: 'dark',
    zone: 'utc',
    clock: '24',
    times: 'absolute',
    characterKeys: true,
    wrap: true,
    density: 'default',
    widths: {},
    inspector: 408,
  });
  applyPreferences();
  const config = { apiUrl: options.apiUrl ?? url, temporalUiUrl: 'https://temporal.example' };
  const services = { api, queries, session, config };
  const screen = await render(
    <StrictMode>
      <App services={services} plaintext={plaintext} history={history} />
    </StrictMode>,
  );
  return {
    screen,
    history,
    api,
    plaintext,
    queries,
    session,
    namespace,
    asked,
    /** The refs that the page has requested, first request first. */
    refs: () =>
      asked
        .filter((request) => request.url.endsWith('payloads:decode'))
        .flatMap(({ body }) => decodeRequest.parse(JSON.parse(body)).refs),
    /** Changes what the fixture server contains, or how it answers. */
    steer: async (action: string, body: Steering = {}) => {
      const response = await fetch(`${url}/test/${namespace}/${action}`, {
        method: 'POST',
        body: JSON.stringify(body),
      });
      if (!response.ok)
        throw new Error(`The fixture server rejected ${action} with status ${response.status}.`);
    },
  };
}

/** Returns the row of the history table with this key: `g39` for a group, `e44` for an event. */
export const row = (key: string) => document.querySelector<HTMLElement>(`[data-key="${key}"]`);

/** Milliseconds that {@link until} waits. */
const PATIENCE = 30_000;

/** Waits until `find` returns a result, and throws if it returns none within 30 s. */
export async function until<T>(find: () => T | null | undefined | false, what: string): Promise<T> {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const found = find();
    if (found) return found;
    if (Date.now() > end) throw new Error(`Timed out after ${PATIENCE} ms waiting for: ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

/** Dispatches a `keydown` event. */
export const press = (
  key: string,
  target: Element = document.activeElement ?? document.body,
  more: KeyboardEventInit = {},
) => target.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...more }));
