import { GitCompareArrows } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { tip } from '../../ui/commands/commands.ts';
import { useCommands } from '../../ui/commands/registry.ts';
import { Button } from '../../ui/controls/button.tsx';
import { DialogLoading } from '../../ui/overlays/dialog.tsx';

const ChooseRun = lazy(async () => ({ default: (await import('./choose-run.tsx')).ChooseRun }));

interface CompareButtonProps {
  readonly className: string | undefined;
  readonly textClassName: string | undefined;
}

/** A button that opens a dialog to choose the run to compare with the current run. */
export function CompareButton({ className, textClassName }: CompareButtonProps) {
  const [open, setOpen] = useState(false);
  useCommands({ 'run.compare': () => setOpen(true) });
  return (
    <>
      <Button look="ghost" className={className} {...tip('run.compare')} onClick={() => setOpen(true)}>
        <GitCompareArrows size={14} />
        <span className={textClassName}>Compare</span>
      </Button>
      {open ? (
        <Suspense fallback={<DialogLoading />}>
          <ChooseRun onClose={() => setOpen(false)} />
        </Suspense>
      ) : null}
    </>
  );
}
