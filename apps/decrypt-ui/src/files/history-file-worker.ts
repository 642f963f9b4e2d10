import { serveHistoryFile } from './history-file.ts';

// The page sends one channel to the worker. The worker serves one file, and is terminated when the file closes.
addEventListener('message', ({ ports }) => {
  for (const port of ports) serveHistoryFile(port);
});
