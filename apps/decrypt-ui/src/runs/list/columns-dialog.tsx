import { escapeInvisible } from '@temporal-kms/codec-api';
import { ArrowDown, ArrowUp } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { CheckBox } from '../../ui/controls/check-box.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import styles from './columns-dialog.module.css';
import {
  type ColumnId,
  columnLook,
  knownColumns,
  moved,
  sameColumns,
  toggled,
  usualColumns,
} from './table/columns.ts';

interface ColumnsDialogProps {
  readonly onClose: () => void;
  readonly columns: readonly ColumnId[];
  /** The search attributes of the loaded rows. */
  readonly attributes: readonly string[];
  readonly onChange: (columns: readonly ColumnId[]) => void;
}

/** A dialog that chooses the list's columns and their order. */
export function ColumnsDialog({ onClose, columns, attributes, onChange }: ColumnsDialogProps) {
  const custom = attributes.map((name): ColumnId => `@${name}`);
  const hidden = [...knownColumns, ...custom].filter((id) => !columns.includes(id));
  return (
    <Dialog title="Columns" open onOpenChange={(open) => !open && onClose()}>
      <ul className={styles['list']} aria-label="Columns">
        {[...columns, ...hidden].map((id) => {
          const name = escapeInvisible(columnLook(id).title);
          const place = columns.indexOf(id);
          return (
            <li key={id} className={styles['item']}>
              <label className={styles['label']}>
                <CheckBox
                  checked={place >= 0}
                  disabled={id === 'id'}
                  onChange={() => onChange(toggled(columns, id))}
                />
                {name}
                {id.startsWith('@') ? <span className="t2 small">search attribute</span> : null}
              </label>
              {place < 0 ? null : (
                <>
                  <Button
                    look="ghost"
                    size="small"
                    icon
                    aria-label={`Move ${name} up`}
                    data-tip="Move up: to the left"
                    disabled={place === 0}
                    onClick={() => onChange(moved(columns, id, -1))}
                  >
                    <ArrowUp size={14} />
                  </Button>
                  <Button
                    look="ghost"
                    size="small"
                    icon
                    aria-label={`Move ${name} down`}
                    data-tip="Move down: to the right"
                    disabled={place === columns.length - 1}
                    onClick={() => onChange(moved(columns, id, 1))}
                  >
                    <ArrowDown size={14} />
                  </Button>
                </>
              )}
            </li>
          );
        })}
      </ul>
      <div className={styles['actions']}>
        <Button
          look="ghost"
          disabled={sameColumns(columns, usualColumns)}
          onClick={() => onChange(usualColumns)}
        >
          Reset
        </Button>
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </Dialog>
  );
}
