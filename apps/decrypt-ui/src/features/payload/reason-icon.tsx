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
import type { ReasonIcon as Name } from '../../model/reasons.ts';

const icons: Readonly<Record<Name, typeof Lock>> = {
  lock: Lock,
  open: LockOpen,
  clock: Clock,
  shield: ShieldAlert,
  file: FileWarning,
  weight: Weight,
  key: KeyRound,
  elsewhere: ExternalLink,
};

export function ReasonIcon({ name, size = 12 }: { name: Name; size?: number }) {
  const Icon = icons[name];
  return <Icon size={size} aria-hidden="true" />;
}
