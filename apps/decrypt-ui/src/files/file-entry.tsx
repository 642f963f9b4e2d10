import { useParams } from '@tanstack/react-router';
import { lazy, Suspense, useCallback, useEffect, useState } from 'react';
import { useCommands } from '../ui/commands/registry.ts';
import type { FileAction } from './file-drop.tsx';

const FileDrop = lazy(async () => ({ default: (await import('./file-drop.tsx')).FileDrop }));

/** Loads the code that opens history files when the user drags a file over the page or wants to choose one. */
export function FileEntry() {
  const { namespace } = useParams({ strict: false });
  const [loaded, setLoaded] = useState(false);
  const [action, setAction] = useState<FileAction>();
  const onDone = useCallback(() => setAction(undefined), []);
  const begin = useCallback((next: FileAction) => {
    setLoaded(true);
    setAction(next);
  }, []);
  useCommands({ 'file.open': namespace === undefined ? undefined : () => begin('choose') });

  useEffect(() => {
    const drag = (event: DragEvent) => {
      if (!event.dataTransfer?.types.includes('Files')) return;
      // Prevents the browser from replacing the page with the file.
      event.preventDefault();
      begin(event.type === 'drop' ? event.dataTransfer.files[0] : 'drag');
    };
    const leave = ({ relatedTarget }: DragEvent) => {
      if (relatedTarget === null) setAction((known) => (known === 'drag' ? undefined : known));
    };
    window.addEventListener('dragover', drag);
    window.addEventListener('drop', drag);
    window.addEventListener('dragleave', leave);
    return () => {
      window.removeEventListener('dragover', drag);
      window.removeEventListener('drop', drag);
      window.removeEventListener('dragleave', leave);
    };
  }, [begin]);

  return loaded && namespace !== undefined ? (
    <Suspense fallback={null}>
      <FileDrop namespace={namespace} action={action} onDone={onDone} />
    </Suspense>
  ) : null;
}
