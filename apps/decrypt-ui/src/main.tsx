import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './styles/tokens.css';
import './styles/base.css';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { createApiClient } from './api/client.ts';
import { App } from './app.tsx';
import { loadConfig } from './config.ts';
import { StartFailure } from './features/shell/fallback-pages.tsx';
import { createPlaintextCache } from './payloads/plaintext-cache.ts';
import { applyPreferences } from './state/preferences.ts';

applyPreferences();
const place = document.getElementById('root');
if (!place) throw new Error('index.html must contain an element with the id "root".');
const root = createRoot(place);

try {
  const config = await loadConfig();
  const api = createApiClient({ apiUrl: config.apiUrl });
  root.render(
    <StrictMode>
      <App services={{ api, config, plaintext: createPlaintextCache() }} />
    </StrictMode>,
  );
} catch (error) {
  root.render(<StartFailure message={error instanceof Error ? error.message : String(error)} />);
}
