// Runs before the first paint, so that a light page doesn't flash dark. src/state/preferences.ts owns the value.
(() => {
  let theme = 'system';
  try {
    theme = JSON.parse(localStorage.getItem('decrypt-ui.preferences') ?? '{}').theme ?? theme;
  } catch {
    // No storage, or another's value in it.
  }
  const dark = theme === 'system' ? matchMedia('(prefers-color-scheme: dark)').matches : theme === 'dark';
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
