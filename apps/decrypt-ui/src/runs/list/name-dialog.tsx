import { escapeInvisible } from '@temporal-kms/codec-api';
import { useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import type { ListSearch } from './list-params.ts';
import { saveView } from './list-settings.ts';
import styles from './views-bar.module.css';

interface NameDialogProps {
  readonly namespace: string;
  readonly search: ListSearch;
  readonly onClose: () => void;
}

/** Asks for a name, and saves the view under this name. */
export function NameDialog({ namespace, search, onClose }: NameDialogProps) {
  const [name, setName] = useState('');
  return (
    <Dialog title="Save this view" open onOpenChange={(open) => !open && onClose()}>
      <form
        className={styles['naming']}
        onSubmit={(event) => {
          event.preventDefault();
          const { q = '', cols } = search;
          saveView(namespace, { name: name.trim(), q, ...(cols !== undefined && { cols }) });
          onClose();
        }}
      >
        <label className={styles['label']}>
          Name
          <input
            className={styles['name']}
            value={name}
            maxLength={60}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <p className="t2 small">
          This browser keeps the view, for namespace {escapeInvisible(namespace)}. To share it, copy the
          address of the page.
        </p>
        <div className={styles['actions']}>
          <Button look="ghost" onClick={onClose}>
            Cancel
          </Button>
          <Button look="primary" type="submit" disabled={name.trim() === ''}>
            Save view
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
