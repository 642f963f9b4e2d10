/*
 * The first script of the page. It evaluates the libraries, and the application in a task of its own: one task for both would
 * keep the page from answering, and `public/early.js` from sending the next request.
 */
// oxlint-disable-next-line import/no-unassigned-import -- loads the chunk of all libraries, see `pageChunks`
import 'react-dom/client';

void import('./main.tsx');
