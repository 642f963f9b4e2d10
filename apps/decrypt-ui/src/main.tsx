import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createApiClient } from './api/client.ts';
import { earlyFetch } from './api/early.ts';
import { ApiFailure } from './api/failure.ts';
import { createQueryClient, refreshAccess } from './api/queries.ts';
import { App } from './app.tsx';
import { basePath } from './base-path.ts';
import { loadConfig, type RuntimeConfig } from './config.ts';
import { errorOf } from './errors.ts';
import { SignInWindow, StartFailure } from './features/session/start-pages.tsx';
import { createPlaintextCache } from './payloads/plaintext-cache.ts';
import { preloadPage } from './router.tsx';
import { startSession } from './session/start.ts';
import { type RelayedReturn, relayReturn, type SignInReturn, takeReturn } from './session/windows.ts';
import { applyPreferences } from './state/preferences.ts';

// First of all, so that the address contains no code when anything else runs.
const returned = takeReturn();
applyPreferences();
const place = document.getElementById('root');
if (!place) throw new Error('index.html must contain an element with the id "root".');
const root = createRoot(place);

/** True also while the browser leaves the page for the identity provider. */
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
    const session = await startSession({
      signIn: await createApiClient({ apiUrl, fetch: earlyFetch }).signIn(),
      fetch: earlyFetch,
      apiUrl,
      returned: answer,
      onLock: () => plaintext.clear(),
      onForget: () => queries.clear(),
    });
    const { fetch, renewed } = session;
    const onRefused = () => refreshAccess(queries);
    const api = createApiClient({ apiUrl, fetch, onRefused, ...(renewed && { renewed }) });
    root.render(
      <StrictMode>
        <App services={{ api, config, plaintext, queries, session }} />
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

/** This window was opened for the sign-in of another page, which closes it or removes its frame. */
async function relay(answer: RelayedReturn): Promise<void> {
  const taken = await relayReturn(answer);
  if (taken) window.close();
  if (taken) root.render(<SignInWindow />);
  else await start();
}

// No await at the top level: what the application loads later imports this module's chunk, and would wait for it without end.
void (returned?.kind === 'relay' ? relay(returned) : start(returned));
