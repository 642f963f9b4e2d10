import { escapeInvisible } from '@temporal-kms/codec-api';
import { Mask } from '../../components/mask.tsx';
import type { Label } from '../../model/describe-group.ts';
import { isRecord } from '../../model/values.ts';
import { usePayload } from '../../payloads/payloads-context.tsx';
import { useRun } from './run-context.tsx';

/** A name, also where it stands in a payload; one that can't be read leaves what is known without it. */
export function LabelText({ label }: { label: Label }) {
  const { stub } = useRun();
  const own = label.ref ? stub(label.ref) : undefined;
  const view = usePayload(label.ref, own);
  if (label.ref === undefined || view.status === 'unreadable' || view.status === 'unasked') return label.text;
  if (view.status === 'waiting') return <Mask bytes={own?.bytes ?? 0} />;
  if (view.value.kind === 'text') return escapeInvisible(view.value.text);
  if (view.value.kind !== 'json') return label.text;
  const { value } = view.value;
  const found = label.member !== undefined && isRecord(value) ? value[label.member] : value;
  return typeof found === 'string' ? escapeInvisible(found) : label.text;
}
