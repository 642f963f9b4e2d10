import { serveHistory } from './history-service.ts';

// The page sends a channel for each run.
addEventListener('message', ({ ports }) => {
  for (const port of ports) serveHistory(port);
});
