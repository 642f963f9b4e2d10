import { announce } from '../../ui/live-region.tsx';
import { keepFocus } from './reveal-request.ts';
import { useReveals } from './reveals-context.tsx';

/** Returns a function that hides a namespace's payloads. */
export function useLock(namespace: string): () => void {
  const reveals = useReveals();
  return () => {
    keepFocus();
    reveals.lock(namespace);
    announce('Payloads are hidden.');
  };
}
