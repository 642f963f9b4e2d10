import {
  Clock,
  ExternalLink,
  FileWarning,
  KeyRound,
  Lock,
  LockOpen,
  ShieldAlert,
  Weight,
} from 'lucide-react';
import type { ReasonIcon as IconName } from './reasons.ts';

const icons: Readonly<Record<IconName, typeof Lock>> = {
  lock: Lock,
  open: LockOpen,
  clock: Clock,
  shield: ShieldAlert,
  file: FileWarning,
  weight: Weight,
  key: KeyRound,
  elsewhere: ExternalLink,
};

/** A reason code's icon. */
export function ReasonIcon({ name, size = 12 }: { name: IconName; size?: number }) {
  const Icon = icons[name];
  return <Icon size={size} aria-hidden="true" />;
}
