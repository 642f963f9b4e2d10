/*
 * The page's first script. The browser evaluates the libraries in one task and the application in the next. A single task
 * would block the page, and the requests of `public/early.js`, for too long. The styles are imported here because
 * index.html links only styles that the first script imports.
 */
import '@fontsource-variable/inter/index.css';
import '@fontsource-variable/jetbrains-mono/index.css';
import './ui/styles/tokens.css';
import './ui/styles/base.css';
// oxlint-disable-next-line import/no-unassigned-import -- loads the chunk of all libraries, see `pageChunks`
import 'react-dom/client';

void import('./main.tsx');
