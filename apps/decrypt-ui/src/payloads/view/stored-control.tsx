import type { PayloadStub } from '@temporal-kms/codec-api';
import { lazy, Suspense } from 'react';
import type { PayloadView } from '../payloads-context.tsx';

// The note is loaded on demand, because few payloads are in external storage.
const StoredNote = lazy(async () => ({ default: (await import('./stored-note.tsx')).StoredNote }));

interface StoredControlProps {
  readonly stub: PayloadStub;
  readonly view: PayloadView;
}

/**
 * Shows the location of a payload in external storage, with a button that reads it. Renders nothing unless the
 * payload is open and has not been read.
 */
export function StoredControl({ stub, view: { status } }: StoredControlProps) {
  if (!stub.stored?.readable || (status !== 'stored' && status !== 'waiting')) return null;
  return (
    <Suspense>
      <StoredNote stub={stub} stored={stub.stored} reading={status === 'waiting'} />
    </Suspense>
  );
}
