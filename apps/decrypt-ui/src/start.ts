/*
 * The first script of the page. The browser evaluates the libraries in one task and the application in the next. One task for
 * both would block the page for too long, and with it the requests of `public/early.js`. The styles are here because
 * index.html links only those that the first script imports.
 */
import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './ui/styles/tokens.css';
import './ui/styles/base.css';
// oxlint-disable-next-line import/no-unassigned-import -- loads the chunk of all libraries, see `pageChunks`
import 'react-dom/client';

void import('./main.tsx');
