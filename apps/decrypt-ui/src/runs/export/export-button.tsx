import { Download } from 'lucide-react';
import { lazy, Suspense, useEffect, useState } from 'react';
import { useStore } from 'zustand';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';
import styles from '../frame/run-header.module.css';
import type { Export } from './export-run.ts';

const ExportDialog = lazy(() => import('./export-dialog.tsx'));

/** Opens the export dialog, and shows the progress of an export that continues while the dialog is closed. */
export function ExportButton() {
  const [exporting, setExporting] = useState<Export>();
  const [open, setOpen] = useState(false);
  // Stops the export when the run leaves the screen, because nothing would show its progress.
  useEffect(() => () => exporting?.stop(), [exporting]);
  useCommands({ 'run.export': () => setOpen(true) });
  return (
    <>
      <Button look="ghost" className={styles['export']} {...tip('run.export')} onClick={() => setOpen(true)}>
        <Download size={14} />
        <span className={styles['exportText']}>{exporting ? <Label exporting={exporting} /> : 'Export'}</span>
      </Button>
      {open ? (
        <Suspense fallback={<DialogLoading />}>
          <ExportDialog
            exporting={exporting}
            onCreate={setExporting}
            onClose={() => {
              setOpen(false);
              exporting?.reset();
            }}
          />
        </Suspense>
      ) : null}
    </>
  );
}

function Label({ exporting }: { exporting: Export }) {
  return useStore(exporting.store, ({ status }) => (status === 'running' ? 'Exporting…' : 'Export'));
}
