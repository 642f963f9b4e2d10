import { Square } from 'lucide-react';
import { Button, type ButtonProps } from './button.tsx';

/** A button that stops a running task. */
export function StopButton(props: ButtonProps) {
  return (
    <Button {...props}>
      <Square size={10} />
      Stop
    </Button>
  );
}
