import { serveHistory } from './history-service.ts';

// The page sends one channel per run.
addEventListener('message', ({ ports }) => {
  for (const port of ports) serveHistory(port);
});
