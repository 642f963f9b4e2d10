import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { basePath } from './base-path.ts';
import { createPlaintextCache } from './payloads/reveal/plaintext-cache.ts';
import { refreshAccess, refreshHealth, requestSignIn } from './session/api.ts';
import { loadConfig, type RuntimeConfig } from './session/config.ts';
import { SignInWindow, StartFailure } from './session/pages/start-pages.tsx';
import { createApiClient } from './session/server/client.ts';
import { earlyFetch } from './session/server/early-fetch.ts';
import { ApiFailure } from './session/server/failure.ts';
import { createQueryClient } from './session/server/query-client.ts';
import { limitedFetch } from './session/server/time-limit.ts';
import { startSession } from './session/sign-in/start-session.ts';
import { type RelayedReturn, relayReturn, type SignInReturn, takeReturn } from './session/sign-in/windows.ts';
import { App } from './shell/app.tsx';
import { preloadPage } from './shell/router.tsx';
import { errorOf } from './ui/errors.ts';
import { applyPreferences } from './ui/preferences/preferences.ts';

// Runs first, so that the address contains no authorization code when anything else runs.
const returned = takeReturn();
applyPreferences();
const place = document.getElementById('root');
if (!place) throw new Error('index.html must contain an element with the id "root".');
const root = createRoot(place);

/**
 * Whether the application is starting. `starting` stays true while the browser navigates to the identity
 * provider.
 */
let starting = false;

async function start(answer?: SignInReturn): Promise<void> {
  if (starting) return;
  starting = true;
  preloadPage(location.pathname.slice(basePath.length - 1));
  let config: RuntimeConfig | undefined;
  try {
    config = await loadConfig(earlyFetch);
    const { apiUrl } = config;
    const plaintext = createPlaintextCache();
    const queries = createQueryClient();
    const send = limitedFetch(earlyFetch);
    const session = await startSession({
      signIn: await requestSignIn(createApiClient({ apiUrl, fetch: send })),
      fetch: send,
      apiUrl,
      returned: answer,
      onLock: () => plaintext.clear(),
      onForget: () => queries.clear(),
    });
    const { fetch, renewed } = session;
    const api = createApiClient({
      apiUrl,
      fetch,
      onRefused: () => refreshAccess(queries),
      onUnavailable: () => refreshHealth(queries),
      ...(renewed && { renewed }),
    });
    root.render(
      <StrictMode>
        <App services={{ api, config, queries, session }} plaintext={plaintext} />
      </StrictMode>,
    );
  } catch (error) {
    starting = false;
    root.render(
      <StartFailure
        error={errorOf(error)}
        {...(error instanceof ApiFailure && config && { apiUrl: config.apiUrl })}
        onRetry={() => void start(answer)}
      />,
    );
  }
}

/**
 * Passes the provider's response to the page that opened this window or frame for its sign-in. If no page
 * accepts the response, starts the application instead.
 */
async function relay(answer: RelayedReturn): Promise<void> {
  const taken = await relayReturn(answer);
  if (taken) window.close();
  if (taken) root.render(<SignInWindow />);
  else await start();
}

// Do not await at the top level: chunks that load later import this module's chunk, and would wait for it forever.
void (returned?.kind === 'relay' ? relay(returned) : start(returned));
