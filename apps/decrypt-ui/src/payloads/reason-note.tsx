import { lazy, Suspense } from 'react';
import type { ReasonNoteProps } from './reason-note-text.tsx';

// The text is loaded on demand, because few payloads are unreadable.
const Text = lazy(async () => ({ default: (await import('./reason-note-text.tsx')).ReasonNoteText }));

/** Explains why a payload cannot be decrypted. */
export function ReasonNote(props: ReasonNoteProps) {
  return (
    <Suspense>
      <Text {...props} />
    </Suspense>
  );
}
