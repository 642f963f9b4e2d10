// Sets the theme before the first paint, so that the page does not flash. src/state/preferences.ts writes the value.
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
