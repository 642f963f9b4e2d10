import type { Logger } from 'pino';
import { createLog } from '../../src/observability/log.ts';
import { keepForSearch } from './leak-search.ts';

/** Returns a log whose lines the test can read. The search for secrets after the run reads them, too. */
export function keptLog(): { log: Logger; lines: string[] } {
  const lines: string[] = [];
  return {
    log: createLog('info', {
      write: (line: string) => {
        lines.push(line);
        keepForSearch(line);
      },
    }),
    lines,
  };
}
