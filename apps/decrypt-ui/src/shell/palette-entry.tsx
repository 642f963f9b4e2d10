import { Search } from 'lucide-react';
import { lazy, Suspense, useCallback, useState } from 'react';
import { useCommands } from '../ui/commands/registry.ts';
import styles from './palette.module.css';

/** Loaded when the palette first opens. */
const Palette = lazy(async () => ({ default: (await import('./palette.tsx')).Palette }));

/** The label of the palette's field. */
const FIELD = 'Command, workflow id, run id or event number';
const TITLE = 'Search or jump to';

interface Opened {
  readonly text: string;
  /** The element that gets the focus back when the palette closes. */
  readonly from: Element | null;
  /** Whether the palette has loaded and its field has the focus. */
  readonly ready: boolean;
}

/**
 * Opens the palette. Until the palette has loaded, a temporary field has the focus, so that keystrokes are not lost and
 * do not run commands.
 */
export function PaletteEntry() {
  const [opened, setOpened] = useState<Opened>();
  useCommands({ palette: () => setOpened({ text: '', from: document.activeElement, ready: false }) });
  const onText = useCallback((text: string) => setOpened((known) => known && { ...known, text }), []);
  const onReady = useCallback(() => setOpened((known) => known && { ...known, ready: true }), []);
  if (!opened) return null;
  const { text, from, ready } = opened;
  const close = () => setOpened(undefined);
  const cancel = () => {
    close();
    if (from instanceof HTMLElement) from.focus();
  };
  return (
    <>
      {ready ? null : <Field text={text} onText={onText} onClose={cancel} />}
      <Suspense fallback={null}>
        <Palette
          title={TITLE}
          label={FIELD}
          text={text}
          onText={onText}
          from={from}
          onReady={onReady}
          onClose={close}
        />
      </Suspense>
    </>
  );
}

interface FieldProps {
  readonly text: string;
  readonly onText: (text: string) => void;
  readonly onClose: () => void;
}

function Field({ text, onText, onClose }: FieldProps) {
  return (
    <div role="dialog" aria-label={TITLE} aria-busy="true" className={styles['popup']}>
      <div className={styles['field']}>
        <Search size={16} aria-hidden="true" />
        <input
          // oxlint-disable-next-line jsx-a11y/no-autofocus -- the user opened the dialog to type
          autoFocus
          aria-label={FIELD}
          placeholder={FIELD}
          spellCheck={false}
          value={text}
          onChange={(event) => onText(event.target.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') onClose();
          }}
        />
      </div>
    </div>
  );
}
