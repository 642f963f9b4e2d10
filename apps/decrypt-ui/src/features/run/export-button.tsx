import { Download } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { tip } from '../../commands/commands.ts';
import { useCommands } from '../../commands/registry.ts';
import { Button } from '../../components/button.tsx';
import { createExport } from '../../run/export.ts';
import { useRun } from '../../run/run-context.tsx';
import { useServices } from '../../state/services.tsx';
import styles from './run-header.module.css';

const ExportDialog = lazy(() => import('./export-dialog.tsx'));

/** Opens the export of the run, and shows the export that continues while the dialog is closed. */
export function ExportButton() {
  const { api } = useServices();
  const { address } = useRun();
  const [exporting] = useState(() => createExport(api, address));
  const [open, setOpen] = useState(false);
  const running = useStore(exporting.store, ({ status }) => status === 'running');
  // Nothing shows the progress of a run that has left the screen.
  useEffect(() => () => exporting.stop(), [exporting]);
  useCommands({ 'run.export': () => setOpen(true) });
  return (
    <>
      <Button look="ghost" className={styles['export']} {...tip('run.export')} onClick={() => setOpen(true)}>
        <Download size={14} />
        <span className={styles['exportText']}>{running ? 'Exporting…' : 'Export'}</span>
      </Button>
      {open ? (
        <Suspense fallback={null}>
          <ExportDialog
            exporting={exporting}
            onClose={() => {
              setOpen(false);
              exporting.reset();
            }}
          />
        </Suspense>
      ) : null}
    </>
  );
}
