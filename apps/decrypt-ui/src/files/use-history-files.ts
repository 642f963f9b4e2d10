import { type Services, useServices } from '../session/services.tsx';
import { createHistoryFiles, type HistoryFiles, openFilePort } from './history-files.ts';

const known = new WeakMap<Services, HistoryFiles>();

/** Returns the manager of the open history file, which is created on demand so that pages start without it. */
export function useHistoryFiles(): HistoryFiles {
  const services = useServices();
  const files = known.get(services) ?? createHistoryFiles({ openPort: openFilePort });
  known.set(services, files);
  return files;
}
