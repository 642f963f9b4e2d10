import { partsOfRef, type PayloadStub } from '@temporal-kms/codec-api';
import { ChevronsDownUp, ChevronsUpDown } from 'lucide-react';
import { useState } from 'react';
import { Button } from '../../ui/controls/button.tsx';
import { Dialog } from '../../ui/overlays/dialog.tsx';
import { KeyBadges } from '../key-badges.tsx';
import { isEncrypted, keyBadges } from '../payload-keys.ts';
import { kindOf } from '../payload-kind.ts';
import { type PayloadView, useFindings } from '../payloads-context.tsx';
import { RevealControl } from '../reveal-control.tsx';
import { type JsonFolds, LONG, unfolded } from '../value/json-tree.ts';
import type { JsonValue } from '../value/payload-value.ts';
import { readableJson } from '../value/readable-json.ts';
import { PayloadBody } from './payload-body.tsx';
import styles from './payload-dialog.module.css';
import { type PayloadDialogName, PayloadTools } from './payload-tools.tsx';

interface PayloadDialogProps {
  readonly view: Extract<PayloadView, { status: 'readable' }>;
  readonly stub: PayloadStub;
  readonly title: string;
  /** Opens another dialog for the payload or, if `dialog` is undefined, closes this dialog. */
  readonly onOpen: (dialog: PayloadDialogName | undefined) => void;
}

/** Returns folds that close everything but the outermost object, in both forms of the JSON. */
const foldAll = (json: JsonValue): JsonFolds => ({
  chosen: new Map([json.value, readableJson(json)].map((root) => [root, true])),
  lines: 0,
});

/** A payload that fills the page. The caller removes the dialog when the payload is hidden. */
export function PayloadDialog({ view, stub, title, onOpen }: PayloadDialogProps) {
  const findings = useFindings();
  const [folds, setFolds] = useState<JsonFolds>(unfolded);
  const { value } = view;
  const event = partsOfRef(stub.ref).eventId;
  return (
    <Dialog
      title={event > 0 ? `${title} of event ${event}` : title}
      large
      open
      onOpenChange={(open) => !open && onOpen(undefined)}
    >
      <div className={styles['bar']}>
        <KeyBadges badges={keyBadges([stub], findings)} />
        <span className={styles['kind']}>{kindOf(view, stub)}</span>
        <span className="spacer" />
        <RevealControl refs={[stub.ref]} title={title} />
        {value.kind === 'json' ? (
          <>
            <Button
              look="ghost"
              size="small"
              aria-label="Unfold all"
              onClick={() => setFolds({ chosen: new Map(), lines: LONG })}
            >
              <ChevronsUpDown size={14} />
              <span className={styles['text']}>Unfold all</span>
            </Button>
            <Button look="ghost" size="small" aria-label="Fold all" onClick={() => setFolds(foldAll(value))}>
              <ChevronsDownUp size={14} />
              <span className={styles['text']}>Fold all</span>
            </Button>
          </>
        ) : null}
        <PayloadTools stub={stub} title={title} onOpen={onOpen} large />
      </div>
      <PayloadBody value={value} label={title} decrypted={isEncrypted(stub, findings)} fill folds={folds} />
    </Dialog>
  );
}
