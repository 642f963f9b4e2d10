// Runs before the first paint, while the browser loads the application. It imports nothing, so that it runs as early as possible.

// Sets the theme, so that the page does not flash. src/ui/preferences/preferences.ts writes the value.
(() => {
  let theme = 'system';
  try {
    theme = JSON.parse(localStorage.getItem('decrypt-ui.preferences') ?? '{}').theme ?? theme;
  } catch {
    // The browser forbids storage, or the stored value is invalid.
  }
  const dark = theme === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();

// Loads the scripts of the page at this address, and sends the application’s first requests. The application gets the responses
// from src/session/server/early-fetch.ts. If the codec server requires a sign-in, the application sends the requests itself, with
// its token.
(() => {
  const { dataset, src } = document.currentScript;
  const base = new URL('.', src).pathname;
  const path = location.pathname.slice(base.length - 1);
  const run = /^\/ns\/([^/]+)\/workflows\/([^/]+)\/([^/]+)$/.exec(path);
  const isList = path === '/' || /^\/ns\/[^/]+\/workflows\/?$/.test(path);
  // `vite.config.ts` writes the names of the files into index.html.
  const page = run ? dataset.run : isList ? dataset.list : '';
  for (const file of `${dataset.app ?? ''} ${page ?? ''}`.split(' ').filter(Boolean)) {
    const link = document.createElement('link');
    if (file.endsWith('.js')) link.rel = 'modulepreload';
    else Object.assign(link, { rel: 'preload', as: 'style' });
    // Must equal `crossOrigin` in the elements that the application adds: otherwise the browser would load the file twice.
    link.crossOrigin = '';
    link.href = base + file;
    document.head.append(link);
  }

  // Sends nothing here, because the address contains an authorization code until the application has removed it.
  if (path === '/sign-in') return;
  const responses = (globalThis.earlyResponses = new Map());
  const get = (url) => {
    const response = fetch(url, { cache: 'no-store' });
    responses.set(url, response);
    return response.then((received) => received.clone().json());
  };
  const sendRequests = async () => {
    const { apiUrl = '' } = await get(`${base}config.json`);
    // If the address is invalid, the application explains why.
    if (!/^(?:|\/(?!\/).*|https?:.*)$/.test(apiUrl)) return;
    const api = `${(apiUrl || base).replace(/\/+$/, '')}/api`;
    const { required } = await get(`${api}/sign-in`);
    if (required !== false || !run) return;
    const [namespace, workflowId, runId] = run
      .slice(1)
      .map((part) => encodeURIComponent(decodeURIComponent(part)));
    const workflow = `${api}/namespaces/${namespace}/workflows/${workflowId}`;
    for (const url of [
      `${workflow}/runs/${runId}/history?after=0&live=true&limit=200`,
      `${workflow}?runId=${runId}`,
    ])
      responses.set(url, fetch(url, { cache: 'no-store' }));
  };
  // If a request fails, the application repeats it and reports the failure.
  sendRequests().catch(() => undefined);
})();
