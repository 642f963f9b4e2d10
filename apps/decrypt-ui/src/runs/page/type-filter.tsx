import { escapeInvisible } from '@temporal-kms/codec-api';
import { X } from 'lucide-react';
import { Button } from '../../ui/controls/button.tsx';
import styles from './type-filter.module.css';

interface TypeFilterProps {
  readonly type: string;
  readonly onEnd: () => void;
}

/** Names the activity type that the history is filtered by; a click removes the filter. */
export function TypeFilter({ type, onEnd }: TypeFilterProps) {
  const name = escapeInvisible(type);
  return (
    <Button aria-label={`Filtered by ${name}. Show all events`} data-tip="Show all events" onClick={onEnd}>
      <span className={styles['type']}>{name}</span>
      <X size={14} />
    </Button>
  );
}
