import { partsOfRef, type PayloadStub } from '@temporal-kms/codec-api';
import { Download, Ellipsis, GitCompareArrows, Maximize2 } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import { CopyButton } from '../../ui/controls/copy-button.tsx';
import { announce } from '../../ui/live-region.tsx';
import { Menu, MenuAction, MenuLine, MenuToggle } from '../../ui/overlays/menu.tsx';
import { setPreferences, usePreferences } from '../../ui/preferences/preferences.ts';
import { usePayloads, useReadPayload } from '../payloads-context.tsx';
import { valueOf } from '../value/interpret.ts';
import { copyText, payloadValue } from '../value/payload-value.ts';
import { noComparison, useComparison } from './comparison.tsx';

export type PayloadDialogName = 'large' | 'compare';

interface PayloadToolsProps {
  readonly stub: PayloadStub;
  readonly title: string;
  readonly onOpen: (dialog: PayloadDialogName) => void;
  /** Whether the tools are in the large view. */
  readonly large?: boolean;
}

/**
 * The user's actions for a decoded payload. Each action reads the payload again, because the payload may
 * have been hidden in the meantime.
 */
export function PayloadTools({ stub, title, onOpen, large = false }: PayloadToolsProps) {
  const { place } = usePayloads();
  const { wrap } = usePreferences();
  const read = useReadPayload();
  const compares = useComparison() !== noComparison;
  const name = title.toLowerCase();

  async function save() {
    // Loading the module may take a moment, so load it before reading the payload.
    const module = await import('./save-payload.ts').catch(() => undefined);
    if (!module) {
      announce(`${title} could not be saved. Reload the page and try again`);
      return;
    }
    const payload = read(stub.ref);
    if (!payload) return;
    module.savePayload(
      [place(stub.ref).run.workflowId, `event-${partsOfRef(stub.ref).eventId}`, name],
      payload,
    );
    announce(`Saved ${name}`);
  }

  return (
    <>
      <CopyButton
        what={name}
        text={() => {
          const payload = read(stub.ref);
          return payload && copyText(valueOf(payload) ?? payloadValue(payload));
        }}
      />
      {large ? null : (
        <Button
          look="ghost"
          size="small"
          icon
          aria-label={`Enlarge ${name}`}
          data-tip="Enlarge"
          onClick={() => onOpen('large')}
        >
          <Maximize2 size={14} />
        </Button>
      )}
      <Menu label={`More about ${name}`} icon size="small" align="end" trigger={<Ellipsis size={14} />}>
        <MenuAction icon={<Download size={14} />} onClick={() => void save()}>
          Save as a file
        </MenuAction>
        {compares ? (
          <MenuAction icon={<GitCompareArrows size={14} />} onClick={() => onOpen('compare')}>
            Compare with another payload
          </MenuAction>
        ) : null}
        <MenuLine />
        <MenuToggle checked={wrap} onChange={(next) => setPreferences({ wrap: next })}>
          Wrap long lines
        </MenuToggle>
      </Menu>
    </>
  );
}
